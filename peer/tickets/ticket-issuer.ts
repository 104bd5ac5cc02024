/**
 * Issues the tickets of a data directory, whether or not a node runs with it.
 *
 * A running node has the ticket database open. Commands then ask it over its control socket, so changes apply
 * immediately.
 */

import { isCircuit, relayAddrOf } from '../../src/addresses/circuit.ts'
import { endpointOf, endsInPeerId, withoutPeerId } from '../../src/addresses/endpoint.ts'
import { fitting } from '../../src/addresses/ranking.ts'
import { scopeOf } from '../../src/addresses/scope.ts'
import { CODE_P2P } from '@multiformats/multiaddr'
import { InvalidConfigError } from '../../src/errors.ts'
import { isExposableName } from '../tunnel/listener/service-kinds.ts'
import { encodeTicket, MAX_PLACES } from './ticket.ts'
import { longestDurationMs } from '../../src/config/kinds/quantities.ts'
import { isPlausibleTime } from '../../src/time/clock.ts'
import { MAX_USES } from './max-uses.ts'
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
   * @param relays - where the peer is; empty for where the node is now
   * @throws {InvalidConfigError} where that is not known, or the clock is wrong and the ticket is to expire
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
    assertClock(wish)
    const { ticket, secret } = await book.issue(wish)
    const expiresAt = ticket.expiresAt === null ? undefined : new Date(ticket.expiresAt)
    const text = encodeTicket({ peerId, places, service: wish.service, secret, expiresAt })
    return services === undefined ? { ticket, text } : { ticket, text, isExposed: services.has(wish.service) }
  }

  async list(): Promise<IssuedTicket[]> {
    await this.#init.book.load()
    return this.#init.book.tickets
  }

  async revoke(id: string): Promise<boolean> {
    try {
      return await this.#init.book.revoke(id)
    } finally {
      // a ticket that is revoked in memory alone lets nobody in either
      this.#init.services?.reconsider()
    }
  }
}

/** A ticket that was made in 1970 has expired as soon as somebody sets the clock. */
function assertClock({ validMs }: TicketWish): void {
  const now = Date.now()
  if (validMs === null || isPlausibleTime(now)) return
  const what = `this machine's clock is wrong: it shows ${new Date(now).toISOString()}. Set it, or leave --expires out`
  throw new InvalidConfigError([{ where: '--expires', what }])
}

/**
 * The places for a peer with these addresses: its relays, and its own public addresses. At most {@link
 * MAX_PLACES}.
 */
export function placesOf(addrs: readonly Multiaddr[]): Multiaddr[] {
  const relays = addrs.filter(isCircuit).map(relayAddrOf)
  const own = addrs.filter(addr => !isCircuit(addr) && scopeOf(endpointOf(addr).host) === 'public')
  return fitting([...relays, ...own.map(withoutPeerId)].filter(isPlace), MAX_PLACES, () => 1)
}

/** A relay's address has one peer id, at its end. The peer's own addresses have none. */
function isPlace(addr: Multiaddr): boolean {
  return addr.getComponents().filter(it => it.code === CODE_P2P).length <= 1
}

/** Rejects names, which may stand for other relays by the time the ticket is used. */
function assertAddresses(relays: readonly Multiaddr[]): void {
  const name = relays.find(it => !endsInPeerId(it))
  if (name === undefined) return
  const what = `${name} is a name, but a ticket needs addresses; without --relay it uses the addresses of the running node`
  throw new InvalidConfigError([{ where: '--relay', what }])
}

/** Reads a request from the control socket. @throws {TypeError} if it is malformed */
export function readWish(body: unknown): TicketWish {
  const { service, validMs = null, uses = null } = (body ?? {}) as Record<string, unknown>
  const isCount = (it: unknown, most: number): it is number | null =>
    it === null || (Number.isSafeInteger(it) && Number(it) > 0 && Number(it) <= most)
  const isService = typeof service === 'string' && isExposableName(service)
  if (!isService || !isCount(validMs, longestDurationMs) || !isCount(uses, MAX_USES))
    throw new TypeError(
      `expected a service, and optionally validMs (up to ${longestDurationMs}) and uses (up to ${MAX_USES})`,
    )
  return { service, validMs, uses }
}
