/**
 * Slots that remotes share fairly. When no slot is free, the group with the most, and in it the holder with the most,
 * loses its oldest one. So a newcomer always gets in, and a flood displaces itself.
 *
 * The invariant: there are never more slots under a key than its bound, and an item has a slot under all of its keys
 * or under none. Taking a slot takes time for each group and holder, and not for each item.
 */

import type { Bound } from './quota.ts'

/** What has a slot. */
export interface SlotItem {
  /** Called when the item loses its slot to a newcomer. Without it, the item keeps its slot. */
  lose?: (() => void) | undefined
}

/** What a newcomer gets if its own holder has the most slots. */
export interface FairSlotsInit {
  /** `replace`: the slot of the holder's oldest item. `refuse`: nothing. */
  own: 'replace' | 'refuse'
}

/** The keys of an item, from its holder to the widest group. */
export type Bounds = readonly [Bound, ...Bound[]]

/** What is under a key. */
interface Group<Item> {
  /** The oldest first. */
  readonly items: Set<Item>
  /** How many of the items are under each of the next narrower keys. */
  readonly shares: Map<string, number>
}

export class FairSlots<Item extends SlotItem> {
  readonly #init: FairSlotsInit
  readonly #boundsOf = new Map<Item, Bounds>()
  readonly #groups = new Map<string, Group<Item>>()

  constructor(init: FairSlotsInit) {
    this.#init = init
  }

  /** How many slots are taken under a key. */
  count(key: string): number {
    return this.#groups.get(key)?.items.size ?? 0
  }

  /** True if the item has a slot. */
  has(item: Item): boolean {
    return this.#boundsOf.has(item)
  }

  /**
   * Takes a slot under each of these keys. Others lose their slots where a bound is reached.
   *
   * @returns false if the item gets no slot
   */
  take(item: Item, bounds: Bounds): boolean {
    for (const [level, { key, max }] of bounds.entries()) {
      if (this.count(key) < max) continue
      const loser = this.#loserUnder(level, bounds)
      if (loser === undefined) return false
      this.#evict(loser)
    }
    this.#boundsOf.set(item, bounds)
    let narrower: string | undefined
    for (const { key } of bounds) {
      const group = this.#groups.get(key) ?? { items: new Set(), shares: new Map() }
      this.#groups.set(key, group)
      group.items.add(item)
      if (narrower !== undefined) group.shares.set(narrower, (group.shares.get(narrower) ?? 0) + 1)
      narrower = key
    }
    return true
  }

  /** Frees the slot of an item, if it has one. */
  release(item: Item): void {
    let narrower: string | undefined
    for (const { key } of this.#boundsOf.get(item) ?? []) {
      const group = this.#groups.get(key)
      group?.items.delete(item)
      if (group?.items.size === 0) this.#groups.delete(key)
      if (narrower !== undefined) {
        const share = (group?.shares.get(narrower) ?? 0) - 1
        if (share > 0) group?.shares.set(narrower, share)
        else group?.shares.delete(narrower)
      }
      narrower = key
    }
    this.#boundsOf.delete(item)
  }

  /** Has the oldest item under a key lose its slot if it fits. */
  loseOldest(key: string, fits: (item: Item) => boolean): void {
    const [oldest] = this.#groups.get(key)?.items ?? []
    if (oldest !== undefined && fits(oldest)) this.#evict(oldest)
  }

  #evict(item: Item): void {
    this.release(item)
    item.lose?.()
  }

  /** Goes from the key that is full down to the holder with the most, and takes its oldest item. */
  #loserUnder(level: number, newcomer: Bounds): Item | undefined {
    const full = this.#groups.get(newcomer[level]?.key ?? '')
    let group = full
    let isOwn = true
    for (let at = level - 1; at >= 0; at--) {
      const key = newcomer[at]?.key ?? ''
      const own: number = isOwn ? (group?.shares.get(key) ?? 0) : 0
      const [largest, most] = largestOf(group?.shares ?? [])
      // the first slot is more to the newcomer than to any other
      isOwn = own > 0 && most <= own + 1
      group = this.#groups.get(isOwn ? key : largest)
    }
    if (isOwn && this.#init.own === 'refuse') return undefined
    for (const item of group?.items ?? [])
      if (item.lose !== undefined && full?.items.has(item) === true) return item
    return undefined
  }
}

/** The first of the keys with the largest share. */
function largestOf(shares: Iterable<[string, number]>): [string, number] {
  let [largest, most] = ['', 0]
  for (const [key, share] of shares) if (share > most) [largest, most] = [key, share]
  return [largest, most]
}
