/**
 * Slots that count under several keys: a circuit under its two peers, its pair and the relay.
 *
 * The invariant: a slot is taken under all of its keys or under none, and a key without slots is forgotten.
 */

/** A key, and how many slots there may be under it. */
export interface Bound {
  readonly key: string
  readonly max: number
}

export class Quota {
  readonly #taken = new Map<string, number>()

  /** How many slots are taken under a key. */
  count(key: string): number {
    return this.#taken.get(key) ?? 0
  }

  /** The first of these keys under which no slot is free. */
  firstFull<B extends Bound>(bounds: readonly B[]): B | undefined {
    return bounds.find(({ key, max }) => this.count(key) >= max)
  }

  /**
   * Takes a slot under each of these keys, all of them different.
   *
   * @returns the function that releases it; only its first call counts. Undefined if a key is full
   */
  take(bounds: readonly Bound[]): (() => void) | undefined {
    if (this.firstFull(bounds) !== undefined) return undefined
    for (const { key } of bounds) this.#taken.set(key, this.count(key) + 1)
    let isTaken = true
    return () => {
      if (isTaken) for (const { key } of bounds) this.#release(key)
      isTaken = false
    }
  }

  #release(key: string): void {
    const count = this.count(key) - 1
    if (count > 0) this.#taken.set(key, count)
    else this.#taken.delete(key)
  }
}
