/** Counts by key. Drops a key when its count is zero, so memory is bounded by what is counted. */
export class Counter {
  readonly #counts = new Map<string, number>()

  /** Number of keys with a count above zero. */
  get size(): number {
    return this.#counts.size
  }

  count(key: string): number {
    return this.#counts.get(key) ?? 0
  }

  add(key: string): void {
    this.#counts.set(key, this.count(key) + 1)
  }

  remove(key: string): void {
    const count = this.count(key) - 1
    if (count > 0) this.#counts.set(key, count)
    else this.#counts.delete(key)
  }
}
