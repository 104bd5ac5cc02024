/** Which connections lead to a peer without a relay in between. */

import { isCircuit, lastPeerId, relayAddrOf } from './circuit.ts'
import { endpointOf } from './endpoint.ts'
import type { Connection, PeerId } from '@libp2p/interface'
import type { ConnectionManager } from '@libp2p/interface-internal'
import type { Endpoint } from './endpoint.ts'

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

/** The host and port of a circuit's relay, as this node is connected to it: the circuit's own address may hold a name. */
export function relayEndpointOf(connectionManager: ConnectionManager, { remoteAddr }: Connection): Endpoint {
  const relay = relayAddrOf(remoteAddr)
  const id = lastPeerId(relay)
  const connection = connectionManager
    .getConnections()
    .find(it => it.remotePeer.toString() === id && it.status === 'open' && isDirect(it))
  return endpointOf(connection?.remoteAddr ?? relay)
}

/** Tells whether a connection is no circuit. */
export function isDirect({ remoteAddr, limits }: Connection): boolean {
  return limits === undefined && !isCircuit(remoteAddr)
}
