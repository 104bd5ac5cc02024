/**
 * Where tickets are given out: for one data directory, whether or not a node runs with it. One that runs has the tickets open, and is asked over its control
 * socket, so that what changes holds at once.
 */

import { CODE_P2P } from '@multiformats/multiaddr'
import { InvalidConfigError } from '../../src/errors.ts'
import { isExposableName } from '../tunnel/listener/service-kinds.ts'
import { encodeTicket, MAX_PLACES } from './ticket.ts'
import { placesOf } from './addresses.ts'
import { longestDurationMs } from '../../src/config/quantities.ts'
import { isPlausibleTime } from '../../src/time/clock.ts'
import { MAX_USES } from './ticket-book.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Services } from '../tunnel/listener/services.ts'
import type { IssuedTicket, TicketBook, TicketWish } from './ticket-book.ts'

/** A ticket that was just made, and its text, which is nowhere else. */
export interface NewTicket {
  ticket: IssuedTicket
  text: string
  /** Whether the node that runs exposes the service now; undefined where none runs. */
  isExposed?: boolean
}

/** What can be done with tickets. */
export interface TicketIssuer {
  /**
   * @param relays - where the peer is; empty for where the node is now
   * @throws {InvalidConfigError} where that is not known, or the clock is wrong and the ticket is to expire
   */
  issue(wish: TicketWish, relays: readonly Multiaddr[]): Promise<NewTicket>
  list(): Promise<IssuedTicket[]>
  /** Resolves with false if there is none of that id. */
  revoke(id: string): Promise<boolean>
}

/** What an office works with. */
export interface LocalOfficeInit {
  book: TicketBook
  peerId: PeerId
  /** Where the node is, once that is known. */
  addrs: () => Promise<readonly Multiaddr[]>
  /** Of the node that runs, to hold what it has against its tickets. */
  services?: Pick<Services, 'reconsider' | 'has'>
}

/** The office of the process that has the tickets open. */
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
      const what =
        'missing; no relay has granted a reservation to a node that runs here, so that a ticket would not say where it is'
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

/** A name stands for relays that may be others by the time the ticket is used. */
function assertAddresses(relays: readonly Multiaddr[]): void {
  const name = relays.find(it => it.getComponents().at(-1)?.code !== CODE_P2P)
  if (name === undefined) return
  const what = `${name} is a name, and a ticket takes addresses; without --relay it takes those of the node, if it is running`
  throw new InvalidConfigError([{ where: '--relay', what }])
}

/** Reads what came over the control socket. @throws {TypeError} if it is no wish */
export function readWish(body: unknown): TicketWish {
  const { service, validMs = null, uses = null } = (body ?? {}) as Record<string, unknown>
  const isCount = (it: unknown, most: number): it is number | null =>
    it === null || (Number.isSafeInteger(it) && Number(it) > 0 && Number(it) <= most)
  const isService = typeof service === 'string' && isExposableName(service)
  if (!isService || !isCount(validMs, longestDurationMs) || !isCount(uses, MAX_USES))
    throw new TypeError(
      `A ticket takes a service, and optionally validMs (up to ${longestDurationMs}) and uses (up to ${MAX_USES})`,
    )
  return { service, validMs, uses }
}
