/**
 * Lists the connections of a node in no more time than it takes to copy the list.
 *
 * Fault of `libp2p` 3.3.11: `getConnections()` copies the list once more for each peer
 * (connection-manager/index.ts), and it is called twice for each connection that comes in. With 2500 peers
 * that was a third of the processor time to set one up (measured).
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import type { Connection, Libp2pEvents } from '@libp2p/interface'
import type { ConnectionManager } from '@libp2p/interface-internal'
import type { TypedEventTarget } from 'main-event'

/** What libp2p hands to a service. */
export interface ConnectionListComponents {
  connectionManager: ConnectionManager
  events: TypedEventTarget<Libp2pEvents>
}

const assertManagerShape = shapeCheck('libp2p', { getConnections: 'function' })
const assertEventsShape = shapeCheck('libp2p', { addEventListener: 'function' })

/** A libp2p service. It replaces the method as it is made, before there are connections. */
export class ConnectionList {
  /** @throws {UpstreamChangedError} */
  constructor({ connectionManager, events }: ConnectionListComponents) {
    assertManagerShape(connectionManager)
    assertEventsShape(events)
    const connections = new Set<Connection>()
    events.addEventListener('connection:open', ({ detail }) => connections.add(detail))
    events.addEventListener('connection:close', ({ detail }) => connections.delete(detail))
    const ofPeer = connectionManager.getConnections.bind(connectionManager)
    connectionManager.getConnections = peerId => (peerId === undefined ? [...connections] : ofPeer(peerId))
  }
}
