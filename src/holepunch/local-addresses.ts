/** What a node knows of itself, from libp2p and from what relays see. */

import { isPunchable } from '../transport/punch-transport.ts'
import type { AddressManager, NodeAddress, TransportManager } from '@libp2p/interface-internal'
import type { LocalAddresses } from './candidates.ts'
import type { ObservedEndpoints } from './observed-endpoints.ts'

/** The addresses of a node now. */
export function localAddressesOf(
  {
    addressManager,
    transportManager,
  }: { addressManager: AddressManager; transportManager: TransportManager },
  observed: ObservedEndpoints,
): LocalAddresses {
  return {
    observed: observed.endpoints(),
    announced: addressManager.getAddressesWithMetadata().flatMap(it => (isTold(it) ? [it.multiaddr] : [])),
    listening: transportManager.getAddrs().filter(isPunchable),
    reachable: addressManager.getAddresses().filter(isPunchable),
  }
}

/** Told by a person or a port mapping, and not guessed from the network interfaces. */
function isTold({ type, multiaddr }: NodeAddress): boolean {
  return (type === 'announce' || type === 'ip-mapping') && isPunchable(multiaddr)
}
