/**
 * Counts what remote peers have open, so that neither one peer nor all together can exhaust this one.
 *
 * The invariant: each rank has slots of its own. Strangers, of whom anyone can make many, leave the others theirs.
 */

import { Quota } from '../../../src/limits/quota.ts'

/** The most slots of one rank. */
export interface SlotLimits {
  perPeer: number
  total: number
}

/** Peers that a rule names; that have a connection open; and all others. */
export type Rank = 'named' | 'connected' | 'stranger'

const RANKS: readonly Rank[] = ['named', 'connected', 'stranger']

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

  /** Takes a slot, and returns the function that releases it, which may be called again; undefined if there is none. */
  take(peerId: string, rank: Rank): (() => void) | undefined {
    return this.#quota.take([
      { key: keyOf(rank, peerId), max: this.#limits.perPeer },
      { key: rank, max: this.#limits.total },
    ])
  }
}

function keyOf(rank: Rank, peerId: string): string {
  return `${rank} ${peerId}`
}
