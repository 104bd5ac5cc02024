/** The addresses in a ticket: where its peer can be reached. */

import { scopeOf } from '../../src/addresses/scope.ts'
import { isCircuit, relayAddrOf } from '../../src/addresses/circuit.ts'
import { CODE_P2P } from '@multiformats/multiaddr'
import { endpointOf, withoutPeerId } from '../../src/addresses/endpoint.ts'
import { MAX_PLACES } from './ticket.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * The places for a peer with these addresses: its relays, and its own public addresses. At most {@link
 * MAX_PLACES}.
 */
export function placesOf(addrs: readonly Multiaddr[]): Multiaddr[] {
  const relays = addrs.filter(isCircuit).map(relayAddrOf)
  const own = addrs.filter(addr => !isCircuit(addr) && scopeOf(endpointOf(addr).host) === 'public')
  return [...relays, ...own.map(withoutPeerId)].filter(isPlace).slice(0, MAX_PLACES)
}

/** A relay's address has one peer id, at its end. The peer's own addresses have none. */
function isPlace(addr: Multiaddr): boolean {
  return addr.getComponents().filter(it => it.code === CODE_P2P).length <= 1
}
