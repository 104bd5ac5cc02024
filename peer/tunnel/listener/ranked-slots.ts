/**
 * Slots that are counted by rank: each rank has as many as the limits say.
 *
 * The invariant: those of one rank, of whom anyone may make as many as he likes, leave those of the others their slots.
 */

import { Slots } from './slots.ts'
import type { SlotLimits } from './slots.ts'

/** Peers that a rule names; that have a connection open; and all others. */
export type Rank = 'named' | 'connected' | 'stranger'

export class RankedSlots {
  readonly #slots: Readonly<Record<Rank, Slots>>

  constructor(limits: SlotLimits) {
    this.#slots = { named: new Slots(limits), connected: new Slots(limits), stranger: new Slots(limits) }
  }

  /** Whether the peer has a slot, of whichever rank. */
  holds(peerId: string): boolean {
    return Object.values(this.#slots).some(slots => slots.holds(peerId))
  }

  /** Takes a slot, and returns what gives it back, which may be called again; undefined if there is none. */
  take(peerId: string, rank: Rank): (() => void) | undefined {
    return this.#slots[rank].take(peerId)
  }
}
