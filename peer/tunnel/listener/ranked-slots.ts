/**
 * Counts what remote peers have open, so that neither one peer nor all together can exhaust this one.
 *
 * The invariant: each rank has slots of its own. Strangers, of whom anyone can make many, leave the others theirs.
 */

import { Quota } from '../../../src/limits/quota.ts'
import { RANKS } from '../../limits/rank.ts'
import type { PeerRank } from '../../limits/rank.ts'

/** The most slots of one rank. */
export interface SlotLimits {
  perPeer: number
  total: number
}

export class RankedSlots {
  readonly #limits: SlotLimits
  readonly #quota = new Quota()

  constructor(limits: SlotLimits) {
    this.#limits = limits
  }

  /** Whether the peer has a slot, of any rank. */
  has(peerId: string): boolean {
    return RANKS.some(rank => this.#quota.count(keyOf(rank, peerId)) > 0)
  }

  /** Takes a slot, which is free again when it is disposed. Returns undefined if there is none. */
  take(peerId: string, rank: PeerRank): DisposableStack | undefined {
    const release = this.#quota.take([
      { key: keyOf(rank, peerId), max: this.#limits.perPeer },
      { key: rank, max: this.#limits.total },
    ])
    if (release === undefined) return undefined
    const slot = new DisposableStack()
    slot.defer(release)
    return slot
  }
}

function keyOf(rank: PeerRank, peerId: string): string {
  return `${rank} ${peerId}`
}
