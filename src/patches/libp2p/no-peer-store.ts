/**
 * Keeps libp2p from noting what it learns of its peers.
 *
 * Fault of `libp2p` 3.3.11: it notes every remote in its peer store, with every connection and every stream,
 * for nodes that want to dial the remote later (connection.ts, dial-queue.ts), and this cannot be turned off.
 * A relay dials nobody, meets more peers in a year than it has memory for, and would write to its peer store
 * for each request.
 *
 * Upstream issue: by design.
 */

import { shapeCheck } from '../expect-shape.ts'
import type { Peer, PeerId, PeerStore } from '@libp2p/interface'

/** What libp2p hands to a service. */
export interface NoPeerStoreComponents {
  peerId: PeerId
  peerStore: PeerStore
}

const assertShape = shapeCheck('libp2p', { merge: 'function', patch: 'function' })

/** A libp2p service. It replaces the methods as it is made. Identify sends what the node notes of itself. */
export class NoPeerStore {
  /** @throws {UpstreamChangedError} */
  constructor({ peerId: self, peerStore }: NoPeerStoreComponents) {
    assertShape(peerStore)
    for (const method of ['merge', 'patch'] as const) {
      const note = peerStore[method].bind(peerStore)
      peerStore[method] = async (peerId, data, options) =>
        peerId.equals(self) ? await note(peerId, data, options) : unknownPeer(peerId)
    }
  }
}

/** What is known of a peer: its id. */
function unknownPeer(id: PeerId): Peer {
  return { id, addresses: [], protocols: [], metadata: new Map(), tags: new Map() }
}
