/** Tickets over the control socket: the routes of the node, and the client of the commands. */

import { relayAddrFault } from '../../src/config/kinds/address-kinds.ts'
import { readMultiaddr } from '../connections/target.ts'
import { askNode } from '../control/client.ts'
import { readWish } from './ticket-issuer.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Routes } from '../control/server.ts'
import type { NewTicket, TicketIssuer } from './ticket-issuer.ts'
import type { IssuedTicket, TicketWish } from './ticket-book.ts'

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
    return askNode(this.#dataDir, 'POST /tickets', { ...wish, relays: relays.map(String) })
  }

  async list(): Promise<IssuedTicket[]> {
    const { tickets } = await askNode<{ tickets: IssuedTicket[] }>(this.#dataDir, 'GET /tickets')
    return tickets
  }

  async revoke(id: string): Promise<boolean> {
    const answer = await askNode<{ isRevoked: boolean }>(this.#dataDir, 'POST /tickets/revoke', { id })
    return answer.isRevoked
  }
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
