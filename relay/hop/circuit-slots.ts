/** Counts circuits: in total, per peer, and per pair of peers. */

import { Quota } from '../../src/limits/quota.ts'
import type { CircuitOpened, CircuitRefusal } from '../events.ts'
import type { Limits } from '../limits/limits.ts'

const ALL = 'all'

/** The slots that circuits take from the moment when they are asked for. */
export class CircuitSlots {
  readonly #limits: Limits
  readonly #quota = new Quota()
  #emptied: PromiseWithResolvers<void> | undefined

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Number of circuits that are open or being opened. */
  get taken(): number {
    return this.#quota.count(ALL)
  }

  /** Resolves when no slot is taken. */
  async emptied(): Promise<void> {
    while (this.taken > 0) {
      this.#emptied ??= Promise.withResolvers()
      await this.#emptied.promise
    }
  }

  /** Takes a slot and returns the function that releases it, or returns why there is none. */
  take({ initiator, responder }: CircuitOpened): (() => void) | CircuitRefusal {
    const ends = [...new Set([initiator.toString(), responder.toString()])].toSorted()
    const { maxCircuits, maxCircuitsPerPeer, maxCircuitsPerPair } = this.#limits
    const bounds = [
      { key: `pair ${ends.join(' ')}`, max: maxCircuitsPerPair, refusal: 'too-many-for-pair' },
      ...ends.map(end => ({ key: end, max: maxCircuitsPerPeer, refusal: 'too-many-for-peer' }) as const),
      { key: ALL, max: maxCircuits, refusal: 'too-many' },
    ] as const
    const release = this.#quota.take(bounds)
    if (release === undefined) return this.#quota.firstFull(bounds)?.refusal ?? 'too-many'
    return () => {
      release()
      if (this.taken === 0) this.#tellEmptied()
    }
  }

  #tellEmptied(): void {
    this.#emptied?.resolve()
    this.#emptied = undefined
  }
}
