/**
 * The streams on which a peer asks, or is told no: until it is let in, each of them is held by this side for nothing.
 *
 * The invariant: strangers, of whom anyone can make as many as he likes, leave those who may come in, or are in, their places.
 */

import { Slots } from './slots.ts'
import type { SlotLimits } from './slots.ts'

export class Asking {
  readonly #known: Slots
  readonly #strangers: Slots
  readonly #isKnown: (peerId: string) => boolean

  /**
   * @param limits - of the known ones, and of the others
   * @param isKnown - whether a rule names the peer, or it has been let in
   */
  constructor(limits: SlotLimits, isKnown: (peerId: string) => boolean) {
    this.#known = new Slots(limits)
    this.#strangers = new Slots(limits)
    this.#isKnown = isKnown
  }

  /** Takes a place, and returns what gives it back, which may be called again; undefined if there is none. */
  take(peerId: string): (() => void) | undefined {
    return (this.#isKnown(peerId) ? this.#known : this.#strangers).take(peerId)
  }
}
