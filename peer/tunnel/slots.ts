/** Counts what each remote peer holds open, so that neither one peer nor all together can exhaust this one. */

/** The caps of one kind of thing. */
export interface SlotLimits {
  perPeer: number
  total: number
}

export class Slots {
  readonly #limits: SlotLimits
  readonly #taken: Map<string, number> = new Map()
  #total = 0

  constructor(limits: SlotLimits) {
    this.#limits = limits
  }

  /** Number of slots taken by all peers together. */
  get total(): number {
    return this.#total
  }

  /** Takes a slot and tells whether there was one. Whoever got one gives it back with `leave`, once. */
  enter(peerId: string): boolean {
    const taken = this.#taken.get(peerId) ?? 0
    if (taken >= this.#limits.perPeer || this.#total >= this.#limits.total) return false
    this.#taken.set(peerId, taken + 1)
    this.#total += 1
    return true
  }

  leave(peerId: string): void {
    const taken = this.#taken.get(peerId) ?? 0
    if (taken > 1) this.#taken.set(peerId, taken - 1)
    else this.#taken.delete(peerId)
    this.#total -= 1
  }
}
