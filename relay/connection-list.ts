/**
 * Lists the connections of a node in a time that grows with their number, and not with its square.
 *
 * `getConnections()` of libp2p 3.3.11 copies the list once more for each peer (connection-manager/index.ts), and it is called twice for each
 * connection that comes in: with 2500 peers that was a third of the processor time to set one up (measured).
 * test/network/upstream-faults.test.ts tells when it is mended.
 */

import type { ConnectionManager } from '@libp2p/interface-internal'

/** A libp2p service. It replaces the method as it is made, before anything asks. */
export class ConnectionList {
  constructor({ connectionManager }: { connectionManager: ConnectionManager }) {
    const ofPeer = connectionManager.getConnections.bind(connectionManager)
    connectionManager.getConnections = peerId =>
      peerId === undefined ? [...connectionManager.getConnectionsMap().values()].flat() : ofPeer(peerId)
  }
}
