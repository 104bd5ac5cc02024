/**
 * Forgets peers that have gone. libp2p notes what it learns of every peer that it meets, for whoever wants to dial it later; a relay dials
 * nobody, and meets more peers in a year than it has memory for.
 */

import type { Libp2pEvents, PeerId, PeerStore, Startable } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'

/** What libp2p hands to a service. */
export interface DepartedPeersComponents {
  events: TypedEventTarget<Libp2pEvents>
  peerStore: PeerStore
}

/** A libp2p service. */
export class DepartedPeers implements Startable {
  readonly #components: DepartedPeersComponents

  constructor(components: DepartedPeersComponents) {
    this.#components = components
  }

  start(): void {
    this.#components.events.addEventListener('peer:disconnect', this.#forget)
  }

  stop(): void {
    this.#components.events.removeEventListener('peer:disconnect', this.#forget)
  }

  #forget = ({ detail }: CustomEvent<PeerId>): void => {
    // what is not forgotten now is when the peer has come again and gone
    void this.#components.peerStore.delete(detail).catch(() => {})
  }
}
