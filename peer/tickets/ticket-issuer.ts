/**
 * Issues the tickets of a data directory, whether or not a node runs with it.
 *
 * A running node has the ticket database open. Commands then ask it over its control socket, so changes apply
 * immediately.
 */

import { CODE_P2P } from '@multiformats/multiaddr'
import { InvalidConfigError } from '../../src/errors.ts'
import { serviceNameKind } from '../tunnel/listener/service-kinds.ts'
import { encodeTicket, MAX_PLACES } from './ticket.ts'
import { placesOf } from './addresses.ts'
import { longestDurationMs } from '../../src/config/quantities.ts'
import { MAX_USES } from './ticket-book.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Services } from '../tunnel/listener/services.ts'
import type { IssuedTicket, TicketBook, TicketWish } from './ticket-book.ts'

/** A new ticket and its text. The text is not stored. */
export interface NewTicket {
  ticket: IssuedTicket
  text: string
  /** True if the running node exposes the service now. `undefined` if no node runs. */
  isExposed?: boolean
}

/** The operations on tickets. */
export interface TicketIssuer {
  /**
   * Creates a ticket.
   *
   * @param relays - the addresses to put into the ticket; if empty, the current addresses of the node
   * @throws {InvalidConfigError} if those are unknown, or a relay is given as a name
   * @throws {RangeError} if there are too many tickets
   */
  issue(wish: TicketWish, relays: readonly Multiaddr[]): Promise<NewTicket>
  list(): Promise<IssuedTicket[]>
  /** Resolves with false if there is no ticket with that id. */
  revoke(id: string): Promise<boolean>
}

/** What a {@link LocalOffice} needs. */
export interface LocalOfficeInit {
  book: TicketBook
  peerId: PeerId
  /** Resolves with the addresses of the node when they are known. Empty if no node runs. */
  addrs: () => Promise<readonly Multiaddr[]>
  /** The services of the running node. It ends the sessions of revoked tickets. */
  services?: Pick<Services, 'reconsider' | 'has'>
}

/** Issues tickets in the process that has the database open. */
export class LocalOffice implements TicketIssuer {
  readonly #init: LocalOfficeInit

  constructor(init: LocalOfficeInit) {
    this.#init = init
  }

  async issue(wish: TicketWish, relays: readonly Multiaddr[]): Promise<NewTicket> {
    const { book, peerId, addrs, services } = this.#init
    assertAddresses(relays)
    const places = relays.length > 0 ? relays.slice(0, MAX_PLACES) : placesOf(await addrs())
    if (places.length === 0) {
      const what = 'missing; no node with a reservation runs here, so the address for the ticket is unknown'
      throw new InvalidConfigError([{ where: '--relay', what }])
    }
    const { ticket, secret } = await book.issue(wish)
    const expiresAt = ticket.expiresAt === null ? undefined : new Date(ticket.expiresAt)
    const text = encodeTicket({ peerId, places, service: wish.service, secret, expiresAt })
    return services === undefined ? { ticket, text } : { ticket, text, isExposed: services.has(wish.service) }
  }

  async list(): Promise<IssuedTicket[]> {
    return this.#init.book.tickets
  }

  async revoke(id: string): Promise<boolean> {
    const isRevoked = await this.#init.book.revoke(id)
    this.#init.services?.reconsider()
    return isRevoked
  }
}

/** Rejects names, which may stand for other relays by the time the ticket is used. */
function assertAddresses(relays: readonly Multiaddr[]): void {
  const name = relays.find(it => it.getComponents().at(-1)?.code !== CODE_P2P)
  if (name === undefined) return
  const what = `${name} is a name, but a ticket needs addresses; without --relay it uses the addresses of the running node`
  throw new InvalidConfigError([{ where: '--relay', what }])
}

/** Reads a request from the control socket. @throws {TypeError} if it is malformed */
export function readWish(body: unknown): TicketWish {
  const { service, validMs = null, uses = null } = (body ?? {}) as Record<string, unknown>
  const isCount = (it: unknown, most: number): it is number | null =>
    it === null || (Number.isSafeInteger(it) && Number(it) > 0 && Number(it) <= most)
  if (!serviceNameKind.accepts(service) || !isCount(validMs, longestDurationMs) || !isCount(uses, MAX_USES))
    throw new TypeError(
      `expected a service, and optionally validMs (up to ${longestDurationMs}) and uses (up to ${MAX_USES})`,
    )
  return { service, validMs, uses }
}
