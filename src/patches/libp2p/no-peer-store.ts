/**
 * Keeps libp2p from noting what it learns of its peers.
 *
 * It does so with every connection and every stream, for whoever wants to dial the peer later. A relay dials nobody, meets more peers in a year than it
 * has memory for, and would write to its peer store for each request.
 */

import type { Peer, PeerId, PeerStore } from '@libp2p/interface'

/** What libp2p hands to a service. */
export interface NoPeerStoreComponents {
  peerId: PeerId
  peerStore: PeerStore
}

/** A libp2p service. It replaces the methods as it is made; what the node notes of itself, identify tells to others. */
export class NoPeerStore {
  constructor({ peerId: self, peerStore }: NoPeerStoreComponents) {
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
