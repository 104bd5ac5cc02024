/**
 * Slots that remotes share fairly. When no slot is free, the holder of the most loses its oldest one, so that a
 * newcomer always gets in and a flood displaces itself.
 *
 * The invariant: there are never more slots under a key than its bound, and an item has a slot under all of its keys
 * or under none.
 */

import type { Bound } from './quota.ts'

/** What has a slot. */
export interface SlotItem {
  /** Called when the item loses its slot to a newcomer. Without it, the item keeps its slot. */
  lose?: (() => void) | undefined
  /** True for an item that is in use. It loses its slot only if all others are in use, too. @default false */
  isBusy?: () => boolean
}

/** What a newcomer gets if its own holder has the most slots. */
export interface FairSlotsInit {
  /** `replace`: the slot of the holder's oldest item. `refuse`: nothing. */
  own: 'replace' | 'refuse'
}

/** The keys of an item, the holder's first. */
export type Bounds = readonly [Bound, ...Bound[]]

export class FairSlots<Item extends SlotItem> {
  readonly #init: FairSlotsInit
  readonly #boundsOf = new Map<Item, Bounds>()
  /** The items under each key, the oldest first. */
  readonly #items = new Map<string, Set<Item>>()

  constructor(init: FairSlotsInit) {
    this.#init = init
  }

  /** How many slots are taken under a key. */
  count(key: string): number {
    return this.#items.get(key)?.size ?? 0
  }

  /** True if the item has a slot. */
  has(item: Item): boolean {
    return this.#boundsOf.has(item)
  }

  /**
   * Takes a slot under each of these keys. The first one names the holder. Others lose their slots where a bound is
   * reached.
   *
   * @returns false if the item gets no slot
   */
  take(item: Item, bounds: Bounds): boolean {
    const [holder] = bounds
    for (const { key, max } of bounds) {
      if (this.count(key) < max) continue
      const loser = this.#loserUnder(key, holder.key)
      if (loser === undefined) return false
      this.#evict(loser)
    }
    this.#boundsOf.set(item, bounds)
    for (const { key } of bounds) this.#under(key).add(item)
    return true
  }

  /** Frees the slot of an item, if it has one. */
  release(item: Item): void {
    for (const { key } of this.#boundsOf.get(item) ?? []) {
      const items = this.#under(key)
      items.delete(item)
      if (items.size === 0) this.#items.delete(key)
    }
    this.#boundsOf.delete(item)
  }

  /** Has the oldest item under a key lose its slot if it fits. */
  loseOldest(key: string, fits: (item: Item) => boolean): void {
    const [oldest] = this.#items.get(key) ?? []
    if (oldest !== undefined && fits(oldest)) this.#evict(oldest)
  }

  #evict(item: Item): void {
    this.release(item)
    item.lose?.()
  }

  #under(key: string): Set<Item> {
    const items = this.#items.get(key) ?? new Set()
    this.#items.set(key, items)
    return items
  }

  #loserUnder(key: string, newcomer: string): Item | undefined {
    const items = [...(this.#items.get(key) ?? [])].filter(it => it.lose !== undefined)
    const idle = items.filter(it => it.isBusy?.() !== true)
    return this.#fairLoser(idle.length > 0 ? idle : items, newcomer)
  }

  /** The oldest item of the holder with the most of these. */
  #fairLoser(items: readonly Item[], newcomer: string): Item | undefined {
    const byHolder = Map.groupBy(items, it => this.#boundsOf.get(it)?.[0].key ?? '')
    const own = byHolder.get(newcomer) ?? []
    let most = own
    for (const held of byHolder.values()) if (held.length > most.length) most = held
    return most === own && this.#init.own === 'refuse' ? undefined : most[0]
  }
}
