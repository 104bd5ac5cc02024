/** Counts the slots of remote peers, so that neither one peer nor all together can exhaust this peer. */

/** The limits for one kind of slot. */
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

  /** True if the peer has a slot. */
  holds(peerId: string): boolean {
    return this.#taken.has(peerId)
  }

  /**
   * Takes a slot. Returns the function that frees it, which may be called more than once, or `undefined` if
   * none is free.
   */
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
