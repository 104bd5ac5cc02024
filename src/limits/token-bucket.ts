/**
 * Token buckets: limits of the average rate of bytes.
 *
 * Bytes that have arrived are passed on and taken from the bucket, which may become negative. The caller then
 * stops reading until the debt is paid. So nothing is dropped or buffered, and flow control slows the sender
 * down.
 */

/** One bucket: of one circuit, one peer, or all of them. */
export class TokenBucket {
  readonly #bytesPerMs: number
  readonly #capacity: number
  #level: number
  #filledAt = performance.now()

  /**
   * A full bucket.
   *
   * @param bytesPerSecond - the rate, and also the capacity in bytes
   */
  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000
    this.#capacity = bytesPerSecond
    this.#level = bytesPerSecond
  }

  /** Takes bytes. Returns the milliseconds until more may be taken. */
  take(bytes: number): number {
    this.#fill()
    this.#level -= bytes
    return this.fullIn(0)
  }

  /** Milliseconds until the bucket contains this many bytes, by default its capacity. */
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
