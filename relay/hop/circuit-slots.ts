/**
 * Counts circuits: in total, per peer, and per pair of peers. When there are too many, a circuit makes room.
 *
 * Peers that a rule names, or that have shown a token, replace the circuits of strangers. Among equals, the circuits of a
 * peer are shared by the networks, addresses and peers that opened them (see {@link FairShares}): the one with the most loses
 * the one that carried data least recently. A reservation gives no rank, because a stranger gets one for the asking.
 */

import { FairShares } from '../../src/limits/fair-shares.ts'
import { Quota } from '../../src/limits/quota.ts'
import type { CircuitOpened, CircuitRefusal } from '../events.ts'
import type { Limits } from '../limits/limits.ts'

const ALL = 'all'

/** How long a circuit must carry nothing to be idle, in milliseconds: a handshake and an attempt to punch take less. */
const IDLE_MS = 30_000

/** A circuit that is open or being opened, as the slots see it. */
export interface SlotHolder {
  /** The groups of the peer that opened it, the widest first: networks, address, peer id. */
  readonly path: readonly string[]
  /** A rule names that peer, or it has shown a token. */
  readonly isNamed: boolean
  /** When it was asked for or last carried data, in milliseconds of `performance.now()`. */
  readonly usedAt: number
  /** Ends it. */
  replace(): void
}

/** The circuits under one key, by rank. */
class Holders {
  readonly #named: FairShares<Held>
  readonly #strangers: FairShares<Held>

  constructor(now: () => number) {
    const init = { lastUseOf: ({ holder }: Held) => holder.usedAt, idleMs: IDLE_MS, now }
    this.#named = new FairShares(init)
    this.#strangers = new FairShares(init)
  }

  get size(): number {
    return this.#named.size + this.#strangers.size
  }

  add(held: Held): void {
    this.#sharesOf(held.holder).add(held, held.holder.path)
  }

  delete(held: Held): void {
    this.#sharesOf(held.holder).delete(held)
  }

  /** The circuit that makes room for this one. */
  replaceable({ isNamed, path }: SlotHolder): Held | undefined {
    if (!isNamed) return this.#strangers.replaceable(path)
    return this.#strangers.leastUsed() ?? this.#named.replaceable(path)
  }

  #sharesOf({ isNamed }: SlotHolder): FairShares<Held> {
    return isNamed ? this.#named : this.#strangers
  }
}

interface Held {
  readonly holder: SlotHolder
  readonly release: () => void
}

/** The slots that circuits take from the moment when they are asked for. */
export class CircuitSlots {
  readonly #limits: Limits
  readonly #now: () => number
  readonly #quota = new Quota()
  readonly #holders = new Map<string, Holders>()
  #emptied: PromiseWithResolvers<void> | undefined

  /** @param now - milliseconds, for tests */
  constructor(limits: Limits, now: () => number = () => performance.now()) {
    this.#limits = limits
    this.#now = now
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

  /**
   * Takes a slot and returns the function that releases it, or returns why there is none.
   *
   * @param holder - without it, the circuit replaces no other one and is not replaced
   */
  take({ initiator, responder }: CircuitOpened, holder?: SlotHolder): (() => void) | CircuitRefusal {
    const ends = [...new Set([initiator.toString(), responder.toString()])].toSorted()
    const { maxCircuits, maxCircuitsPerPeer, maxCircuitsPerPair } = this.#limits
    const bounds = [
      { key: `pair ${ends.join(' ')}`, max: maxCircuitsPerPair, refusal: 'too-many-for-pair' },
      ...ends.map(end => ({ key: end, max: maxCircuitsPerPeer, refusal: 'too-many-for-peer' }) as const),
      { key: ALL, max: maxCircuits, refusal: 'too-many' },
    ] as const
    let release = this.#quota.take(bounds)
    while (release === undefined) {
      const full = this.#quota.firstFull(bounds)
      // the circuits of a pair are its own
      const replaced =
        full === undefined || holder === undefined || full.refusal === 'too-many-for-pair'
          ? undefined
          : this.#holders.get(full.key)?.replaceable(holder)
      if (replaced === undefined) return full?.refusal ?? 'too-many'
      replaced.release()
      replaced.holder.replace()
      release = this.#quota.take(bounds)
    }
    return this.#hold([...ends, ALL], release, holder)
  }

  #hold(keys: readonly string[], free: () => void, holder: SlotHolder | undefined): () => void {
    const release = (): void => {
      free()
      if (held !== undefined) for (const key of keys) this.#delete(key, held)
      if (this.taken === 0) this.#tellEmptied()
    }
    const held = holder === undefined ? undefined : { holder, release }
    if (held !== undefined) for (const key of keys) this.#add(key, held)
    return release
  }

  #add(key: string, held: Held): void {
    const holders = this.#holders.get(key) ?? new Holders(this.#now)
    this.#holders.set(key, holders)
    holders.add(held)
  }

  #delete(key: string, held: Held): void {
    const holders = this.#holders.get(key)
    holders?.delete(held)
    if (holders?.size === 0) this.#holders.delete(key)
  }

  #tellEmptied(): void {
    this.#emptied?.resolve()
    this.#emptied = undefined
  }
}
