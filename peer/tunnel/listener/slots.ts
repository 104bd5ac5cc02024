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

  /** Whether the peer has a slot. */
  holds(peerId: string): boolean {
    return this.#taken.has(peerId)
  }

  /** Takes a slot, and returns what gives it back, once however often it is called; undefined if there is none. */
  take(peerId: string): (() => void) | undefined {
    const taken = this.#taken.get(peerId) ?? 0
    if (taken >= this.#limits.perPeer || this.#total >= this.#limits.total) return undefined
    this.#taken.set(peerId, taken + 1)
    this.#total += 1
    let isTaken = true
    return () => {
      if (isTaken) this.#giveBack(peerId)
      isTaken = false
    }
  }

  #giveBack(peerId: string): void {
    const taken = this.#taken.get(peerId) ?? 0
    if (taken > 1) this.#taken.set(peerId, taken - 1)
    else this.#taken.delete(peerId)
    this.#total -= 1
  }
}
