/** The events of port mapping. */

import type { Multiaddr } from '@multiformats/multiaddr'
import type { MappingProtocol } from './mapper.ts'

/**
 * The gateway now forwards connections to `addr` to this host. Whether they arrive is checked separately, see
 * `verify`.
 */
export interface MappingAdded {
  protocol: MappingProtocol
  /** The external endpoint, `/ip4/.../tcp/...`. */
  addr: Multiaddr
}

/** The mapping of `addr` no longer exists. */
export interface MappingLost {
  protocol: MappingProtocol
  addr: Multiaddr
  /**
   * - `gateway-silent`: the gateway no longer answers
   * - `refused`: the gateway does not renew the mapping
   * - `changed`: the gateway assigned another address or port
   * - `network-changed`: this host has moved to another network
   * - `not-listening`: this host no longer listens on the port
   * - `stopped`: port mapping was stopped
   */
  reason: 'gateway-silent' | 'refused' | 'changed' | 'network-changed' | 'not-listening' | 'stopped'
}

/** There is no mapping. The search repeats on its own. The event is sent again only if the reason changes. */
export interface MappingFailed {
  /**
   * - `no-gateway`: there is no IPv4 default route
   * - `no-protocol`: the gateway supports none of the protocols, or they are switched off
   * - `refused`: the gateway refuses the mapping
   * - `external-address-private`: the gateway has no public address itself, as behind a second NAT or a
   *   carrier's
   */
  reason: 'no-gateway' | 'no-protocol' | 'refused' | 'external-address-private'
  /** The protocol that was answered last, and the address in that answer, if there was one. */
  protocol?: MappingProtocol
  externalAddress?: string
}
