/** Tickets over the control socket: the routes of the node, and the client of the commands. */

import { relayAddrFault } from '../../src/config/kinds/address-kinds.ts'
import { readMultiaddr } from '../connections/target.ts'
import { askNode, unexpectedAnswer } from '../control/client.ts'
import { readWish } from './ticket-issuer.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Routes } from '../control/server.ts'
import type { NewTicket, TicketIssuer } from './ticket-issuer.ts'
import { looksLikeTicket } from './prefix.ts'
import type { IssuedTicket, TicketWish } from './ticket-book.ts'

/** The latest time that a Date has, in milliseconds since the epoch (ECMA-262, Time Values and Time Range). */
const MAX_TIME = 8.64e15

/** The routes that a ticket issuer answers. */
export function ticketRoutes(office: TicketIssuer): Routes {
  return {
    'GET /tickets': async () => ({ tickets: await office.list() }),
    'POST /tickets': async body => office.issue(readWish(body), readRelays(body)),
    'POST /tickets/revoke': async body => ({ isRevoked: await office.revoke(String(fieldOf(body, 'id'))) }),
  }
}

/** Issues tickets by asking the running node. Its methods throw what {@link askNode} throws. */
export class RemoteOffice implements TicketIssuer {
  readonly #dataDir: string

  constructor(dataDir: string) {
    this.#dataDir = dataDir
  }

  async issue(wish: TicketWish, relays: readonly Multiaddr[]): Promise<NewTicket> {
    const wished = { ...wish, relays: relays.map(String) }
    const answer = await askNode<NewTicket | null>(this.#dataDir, 'POST /tickets', wished)
    if (answer !== null && isTicket(answer.ticket) && isTicketText(answer.text)) return answer
    throw unexpectedAnswer(this.#dataDir)
  }

  async list(): Promise<IssuedTicket[]> {
    const tickets = fieldOf(await askNode(this.#dataDir, 'GET /tickets'), 'tickets')
    if (Array.isArray(tickets) && tickets.every(isTicket)) return tickets
    throw unexpectedAnswer(this.#dataDir)
  }

  async revoke(id: string): Promise<boolean> {
    const isRevoked = fieldOf(await askNode(this.#dataDir, 'POST /tickets/revoke', { id }), 'isRevoked')
    if (typeof isRevoked === 'boolean') return isRevoked
    throw unexpectedAnswer(this.#dataDir)
  }
}

function isTicketText(it: unknown): it is string {
  return typeof it === 'string' && looksLikeTicket(it)
}

/** Whether an answer has what the commands print of a ticket. */
function isTicket(it: unknown): it is IssuedTicket {
  const { id, service, expiresAt, uses, peers } = (it ?? {}) as Record<string, unknown>
  const isTime = expiresAt === null || (typeof expiresAt === 'number' && Math.abs(expiresAt) <= MAX_TIME)
  const isCount = uses === null || Number.isSafeInteger(uses)
  return typeof id === 'string' && typeof service === 'string' && isTime && isCount && Array.isArray(peers)
}

function readRelays(body: unknown): Multiaddr[] {
  const relays = fieldOf(body, 'relays') ?? []
  if (!Array.isArray(relays)) throw new TypeError('relays must be a list')
  if (relays.some(it => typeof it !== 'string')) throw new TypeError('relays must be texts')
  const addrs = (relays as string[]).map(readMultiaddr)
  if (addrs.some(it => relayAddrFault(it) !== undefined))
    throw new TypeError('one of the relays is not a relay address')
  return addrs
}

function fieldOf(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined
}
