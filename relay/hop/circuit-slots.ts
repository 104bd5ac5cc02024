/** How many circuits there are: in all, of each peer, and between each two. */

import { Counter } from '../../src/limits/counter.ts'
import type { CircuitOpened, CircuitRefusal } from '../events.ts'
import type { Limits } from '../limits/limits.ts'

/** The places that circuits take from the moment when they are asked for. */
export class CircuitSlots {
  readonly #limits: Limits
  readonly #peers = new Counter()
  readonly #pairs = new Counter()
  #taken = 0
  #emptied: PromiseWithResolvers<void> | undefined

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Circuits that are open or being opened. */
  get taken(): number {
    return this.#taken
  }

  /** Resolves when no place is taken. */
  async emptied(): Promise<void> {
    while (this.#taken > 0) {
      this.#emptied ??= Promise.withResolvers()
      await this.#emptied.promise
    }
  }

  /** Takes a place, which is free again when the function that comes back is called; or tells why there is none. */
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
