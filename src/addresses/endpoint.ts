/** An IP address and a TCP port, taken out of a multiaddr. */

import { getNetConfig } from '@libp2p/utils'
import { CODE_P2P } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'

export interface Endpoint {
  /** A numeric address, or a name where the multiaddr holds one. */
  host: string
  /** 0 where the multiaddr names none. */
  port: number
}

/** The first host and port of a multiaddr. Throws what `@libp2p/utils` says of one without a host. */
export function endpointOf(addr: Multiaddr): Endpoint {
  const { host, port } = getNetConfig(addr)
  return { host, port: port ?? 0 }
}

/** Cuts off the peer id at the end, if there is one. (`decapsulateCode` would make a circuit its relay's address.) */
export function withoutPeerId(addr: Multiaddr): Multiaddr {
  return endsInPeerId(addr) ? addr.decapsulateCode(CODE_P2P) : addr
}

/** True for an address with a peer id at its end. */
export function endsInPeerId(addr: Multiaddr): boolean {
  return addr.getComponents().at(-1)?.code === CODE_P2P
}
