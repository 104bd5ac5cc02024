/** Turns: of all upgrades to one remote peer, one at a time punches. Two would fight for the same 4-tuple. */

import type { PeerId } from '@libp2p/interface'

export class PeerQueue {
  readonly #last = new Map<string, Promise<void>>()

  /** Resolves when all earlier turns with this peer are over, with the function that ends this one. */
  async take(remotePeer: PeerId): Promise<() => void> {
    const key = remotePeer.toString()
    const { promise, resolve } = Promise.withResolvers<void>()
    const before = this.#last.get(key)
    this.#last.set(key, promise)
    await before
    return () => {
      if (this.#last.get(key) === promise) this.#last.delete(key)
      resolve()
    }
  }
}
