/** Where a ticket says that its peer is. */

import { scopeOf } from '../../src/addresses/scope.ts'
import { isCircuit, relayAddrOf } from '../../src/addresses/circuit.ts'
import { CODE_P2P } from '@multiformats/multiaddr'
import { endpointOf, withoutPeerId } from '../../src/addresses/endpoint.ts'
import { fitting } from '../../src/addresses/ranking.ts'
import { MAX_PLACES } from './ticket.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/** The places for a peer with these addresses: the relays that it is reached through, and its own public addresses. */
export function placesOf(addrs: readonly Multiaddr[]): Multiaddr[] {
  const relays = addrs.filter(isCircuit).map(relayAddrOf)
  const own = addrs.filter(addr => !isCircuit(addr) && scopeOf(endpointOf(addr).host) === 'public')
  return fitting([...relays, ...own.map(withoutPeerId)].filter(isPlace), MAX_PLACES, () => 1)
}

/** A relay has one peer id, at its end; an address of its own has none. */
function isPlace(addr: Multiaddr): boolean {
  return addr.getComponents().filter(it => it.code === CODE_P2P).length <= 1
}
