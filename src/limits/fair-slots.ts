/**
 * Slots that remotes share fairly. A newcomer always gets one if it has fewer than others: the remote that holds the most
 * loses one. So a flood displaces itself.
 *
 * The invariant: there are never more slots under a key than its bound, and an item has a slot under all of its keys
 * or under none.
 */

import { FairShares } from './fair-shares.ts'
import type { Bound } from './quota.ts'

/** What has a slot. */
export interface SlotItem {
  /** When it took the slot, in milliseconds of `performance.now()`. @default it counts as old */
  readonly takenAt?: number
  /** Called when the item loses its slot to a newcomer. */
  readonly lose: () => void
}

/** The keys of an item, from the widest group to its holder. */
export type Bounds = readonly Bound[]

export class FairSlots<Item extends SlotItem> {
  readonly #shares: FairShares<Item>

  /** @param settleMs - a slot that is younger is lost only to a holder that has at least two fewer, in milliseconds */
  constructor(settleMs = 0) {
    this.#shares = new FairShares(
      settleMs === 0 ? {} : { lastUseOf: ({ takenAt = -Infinity }) => takenAt, idleMs: settleMs },
    )
  }

  /** How many slots are taken under these keys, from the widest on. */
  count(...keys: readonly string[]): number {
    return this.#shares.count(keys)
  }

  /** True if the item has a slot. */
  has(item: Item): boolean {
    return this.#shares.has(item)
  }

  /**
   * Takes a slot under each of these keys. Others lose their slots where a bound is reached.
   *
   * @returns false if the item gets no slot
   */
  take(item: Item, bounds: Bounds): boolean {
    const path = bounds.map(({ key }) => key)
    for (let depth = path.length; depth > 0; depth--) {
      if (this.#shares.count(path.slice(0, depth)) < (bounds[depth - 1]?.max ?? 0)) continue
      const loser = this.#shares.replaceable(path, depth)
      if (loser === undefined) return false
      this.#evict(loser)
    }
    this.#shares.add(item, path)
    return true
  }

  /** Frees the slot of an item, if it has one. */
  release(item: Item): void {
    this.#shares.delete(item)
  }

  /** Has the oldest item under these keys lose its slot if it fits. */
  loseOldest(keys: readonly string[], fits: (item: Item) => boolean): void {
    const oldest = this.#shares.leastUsed(keys)
    if (oldest !== undefined && fits(oldest)) this.#evict(oldest)
  }

  #evict(item: Item): void {
    this.#shares.delete(item)
    item.lose()
  }
}
