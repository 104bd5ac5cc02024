/**
 * Counts the requests for services that are in progress.
 *
 * The invariant: each rank has slots of its own, and in a rank the peer with the most requests makes room for others.
 */

import { FairSlots } from '../../../src/limits/fair-slots.ts'
import { OLD_REQUESTS } from './service-limits.ts'
import type { SlotItem } from '../../../src/limits/fair-slots.ts'
import type { PeerRank } from '../../limits/rank.ts'
import type { SlotLimits } from './ranked-slots.ts'

interface Request extends SlotItem {
  readonly takenAt: number
}

export class RequestSlots {
  readonly #limits: SlotLimits
  readonly #slots = new FairSlots<Request>(OLD_REQUESTS.olderThanMs)

  constructor(limits: SlotLimits) {
    this.#limits = limits
  }

  /**
   * Takes a slot, which is free again when it is disposed. Returns undefined if there is none.
   *
   * @param lose - called if the slot is lost to another request
   */
  take(peerId: string, rank: PeerRank, lose: () => void): DisposableStack | undefined {
    if (rank === 'stranger') this.#dropOld(peerId)
    const request: Request = { takenAt: performance.now(), lose }
    const { perPeer, total } = this.#limits
    const bounds = [
      { key: rank, max: total },
      { key: peerId, max: perPeer },
    ]
    if (!this.#slots.take(request, bounds)) return undefined
    const slot = new DisposableStack()
    slot.defer(() => this.#slots.release(request))
    return slot
  }

  /** A stranger has only so many old requests, and loses its oldest one to a new one. */
  #dropOld(peerId: string): void {
    const { max, olderThanMs } = OLD_REQUESTS
    if (this.#slots.count('stranger', peerId) < max) return
    this.#slots.loseOldest(['stranger', peerId], it => performance.now() - it.takenAt > olderThanMs)
  }
}
