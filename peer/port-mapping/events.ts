/** What port mapping reports. */

import type { Multiaddr } from '@multiformats/multiaddr'
import type { MappingProtocol } from './mapper.ts'

/** The gateway sends what comes to `addr` on to this host. Whether that is so is another question: see `verify`. */
export interface MappingAdded {
  protocol: MappingProtocol
  /** The external endpoint, `/ip4/.../tcp/...`. */
  addr: Multiaddr
}

/** `addr` is no longer this host's. */
export interface MappingLost {
  protocol: MappingProtocol
  addr: Multiaddr
  /**
   * `gateway-silent`: the gateway does not answer any more. `refused`: it does not renew the mapping. `changed`: it gave another address or port. `network-changed`: this
   * host is in another network. `not-listening`: nothing listens on the port any more.
   */
  reason: 'gateway-silent' | 'refused' | 'changed' | 'network-changed' | 'not-listening' | 'stopped'
}

/** There is no mapping. It is looked for again by itself; said again only when the reason is another one. */
export interface MappingFailed {
  /**
   * `no-gateway`: there is no IPv4 default route. `no-protocol`: the gateway speaks none of the protocols, or has them
   * switched off. `refused`: it does, and says no. `external-address-private`: it has no public address itself, as behind
   * a second NAT or a carrier's.
   */
  reason: 'no-gateway' | 'no-protocol' | 'refused' | 'external-address-private'
  /** Which protocol was answered last, and what with, where one was. */
  protocol?: MappingProtocol
  externalAddress?: string
}
