/**
 * Slots by rank: each rank has its own limits.
 *
 * Invariant: peers of one rank cannot take the slots of another. Anyone can create any number of strangers.
 */

import { Slots } from './slots.ts'
import type { SlotLimits } from './slots.ts'

/** `named`: a rule names the peer. `connected`: it has a connection open. `stranger`: all others. */
export type Rank = 'named' | 'connected' | 'stranger'

export class RankedSlots {
  readonly #slots: Readonly<Record<Rank, Slots>>

  constructor(limits: SlotLimits) {
    this.#slots = { named: new Slots(limits), connected: new Slots(limits), stranger: new Slots(limits) }
  }

  /** True if the peer has a slot of any rank. */
  holds(peerId: string): boolean {
    return Object.values(this.#slots).some(slots => slots.holds(peerId))
  }

  /**
   * Takes a slot. Returns the function that frees it, which may be called more than once, or `undefined` if
   * none is free.
   */
  take(peerId: string, rank: Rank): (() => void) | undefined {
    return this.#slots[rank].take(peerId)
  }
}
