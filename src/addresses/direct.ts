/** Which connections lead to a peer without a relay in between. */

import { isCircuit } from './circuit.ts'
import type { Connection, PeerId } from '@libp2p/interface'
import type { ConnectionManager } from '@libp2p/interface-internal'

/** When a connection was last used to reserve, as a number that grows. */
const reserved = new WeakMap<Connection, number>()
let reservations = 0

/** Notes that its peer has reserved over this connection: this is where it wants to be told of circuits. */
export function markReserved(connection: Connection): void {
  reserved.set(connection, ++reservations)
}

/**
 * The connection over which a peer can be told of circuits: not a circuit itself, since circuits do not go over circuits. Of several it is the one over which the
 * peer has reserved last: a peer that has moved to another network leaves one behind that is open here, until the kernel notices, and leads nowhere.
 */
export function directConnectionTo(
  connectionManager: ConnectionManager,
  peerId: PeerId,
): Connection | undefined {
  const open = connectionManager.getConnections(peerId).filter(it => it.status === 'open' && isDirect(it))
  return open.toSorted((one, other) => (reserved.get(other) ?? 0) - (reserved.get(one) ?? 0))[0]
}

/** Tells whether a connection is no circuit. */
export function isDirect({ remoteAddr, limits }: Connection): boolean {
  return limits === undefined && !isCircuit(remoteAddr)
}
