/**
 * Counts what remote peers have open, so that neither one peer nor all together can exhaust this one.
 *
 * The invariant: each rank has slots of its own. Strangers, of whom anyone can make many, leave the others theirs.
 */

import { FairSlots } from '../../../src/limits/fair-slots.ts'
import { RANKS } from '../../limits/rank.ts'
import type { SlotItem } from '../../../src/limits/fair-slots.ts'
import type { PeerRank } from '../../limits/rank.ts'

/** The most slots of one rank. */
export interface SlotLimits {
  perPeer: number
  total: number
}

interface Slot extends SlotItem {
  readonly takenAt: number
}

export class RankedSlots {
  readonly #limits: SlotLimits
  readonly #slots = new FairSlots<Slot>({ own: 'refuse' })

  constructor(limits: SlotLimits) {
    this.#limits = limits
  }

  /** Whether the peer has a slot, of any rank. */
  has(peerId: string): boolean {
    return RANKS.some(rank => this.#slots.count(keyOf(rank, peerId)) > 0)
  }

  /**
   * Takes a slot, which is free again when it is disposed. Returns undefined if there is none.
   *
   * @param onLost - called if a peer with fewer slots takes this one. Without it, the slot cannot be lost
   */
  take(peerId: string, rank: PeerRank, onLost?: () => void): DisposableStack | undefined {
    const { perPeer, total } = this.#limits
    const slot: Slot = { takenAt: performance.now(), lose: onLost }
    const bounds = [
      { key: keyOf(rank, peerId), max: perPeer },
      { key: rank, max: total },
    ] as const
    if (!this.#slots.take(slot, bounds)) return undefined
    const taken = new DisposableStack()
    taken.defer(() => this.#slots.release(slot))
    return taken
  }

  /** Has a peer lose its oldest slot if it has at least `max`, and that one is old. */
  trim(peerId: string, rank: PeerRank, { max, olderThanMs }: { max: number; olderThanMs: number }): void {
    const key = keyOf(rank, peerId)
    if (this.#slots.count(key) < max) return
    this.#slots.loseOldest(key, ({ takenAt }) => performance.now() - takenAt > olderThanMs)
  }
}

function keyOf(rank: PeerRank, peerId: string): string {
  return `${rank} ${peerId}`
}
