/** Which connections lead to a peer without a relay in between. */

import { Circuit as CircuitAddr } from '@multiformats/multiaddr-matcher'
import type { Connection, PeerId } from '@libp2p/interface'
import type { ConnectionManager } from '@libp2p/interface-internal'

/** The connection over which a peer can be told of circuits: not a circuit itself, since circuits do not go over circuits. */
export function directConnectionTo(
  connectionManager: ConnectionManager,
  peerId: PeerId,
): Connection | undefined {
  return connectionManager.getConnections(peerId).find(it => it.status === 'open' && isDirect(it))
}

/** Tells whether a connection is no circuit. */
export function isDirect({ remoteAddr, limits }: Connection): boolean {
  return limits === undefined && !CircuitAddr.matches(remoteAddr)
}
