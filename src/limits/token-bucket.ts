/**
 * Token buckets: how fast bytes may pass, on average.
 *
 * Bytes that have arrived are passed on and taken from the bucket, below zero where need be; whoever took them waits until the
 * debt is paid before it reads more. So nothing is cut or kept, and the sender is slowed down by its own window.
 */

/** One bucket, for one circuit, one peer, or all of them. */
export class TokenBucket {
  readonly #bytesPerMs: number
  readonly #capacity: number
  #level: number
  #filledAt = performance.now()

  /**
   * A full bucket.
   *
   * @param bytesPerSecond - the rate; the bucket holds as much as flows in one second
   */
  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000
    this.#capacity = bytesPerSecond
    this.#level = bytesPerSecond
  }

  /** Takes bytes out; tells in how many milliseconds more may come. */
  take(bytes: number): number {
    this.#fill()
    this.#level -= bytes
    return this.fullIn(0)
  }

  /** Milliseconds until the bucket holds this many bytes, by default all that it can. */
  fullIn(bytes = this.#capacity): number {
    this.#fill()
    return this.#level >= bytes ? 0 : (bytes - this.#level) / this.#bytesPerMs
  }

  #fill(): void {
    const now = performance.now()
    this.#level = Math.min(this.#capacity, this.#level + (now - this.#filledAt) * this.#bytesPerMs)
    this.#filledAt = now
  }
}
