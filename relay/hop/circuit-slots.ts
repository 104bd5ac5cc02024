/** Counts circuits: in total, per peer, and per pair of peers. */

import { Counter } from '../../src/limits/counter.ts'
import type { CircuitOpened, CircuitRefusal } from '../events.ts'
import type { Limits } from '../limits/limits.ts'

/** The slots of circuits. A circuit has one from its request until its end. */
export class CircuitSlots {
  readonly #limits: Limits
  readonly #peers = new Counter()
  readonly #pairs = new Counter()
  #taken = 0
  #emptied: PromiseWithResolvers<void> | undefined

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Number of circuits that are open or being opened. */
  get taken(): number {
    return this.#taken
  }

  /** Resolves when no slot is taken. */
  async emptied(): Promise<void> {
    while (this.#taken > 0) {
      this.#emptied ??= Promise.withResolvers()
      await this.#emptied.promise
    }
  }

  /** Takes a slot and returns the function that frees it, or returns the reason why none is free. */
  take({ initiator, responder }: CircuitOpened): (() => void) | CircuitRefusal {
    const ends = [...new Set([initiator.toString(), responder.toString()])]
    const pair = ends.toSorted().join(' ')
    const { maxCircuits, maxCircuitsPerPeer, maxCircuitsPerPair } = this.#limits
    if (this.#pairs.count(pair) >= maxCircuitsPerPair) return 'too-many-for-pair'
    if (ends.some(end => this.#peers.count(end) >= maxCircuitsPerPeer)) return 'too-many-for-peer'
    if (this.#taken >= maxCircuits) return 'too-many'
    this.#taken++
    this.#pairs.add(pair)
    for (const end of ends) this.#peers.add(end)
    return () => {
      this.#taken--
      if (this.#taken === 0) this.#tellEmptied()
      this.#pairs.remove(pair)
      for (const end of ends) this.#peers.remove(end)
    }
  }

  #tellEmptied(): void {
    this.#emptied?.resolve()
    this.#emptied = undefined
  }
}
