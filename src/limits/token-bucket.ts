/**
 * Token buckets: how much may pass, on average.
 *
 * Taking always succeeds, and takes the bucket below zero where need be. The taker waits until the debt is paid before it
 * takes more. So bytes that have arrived are passed on, nothing is cut or kept, and the sender is slowed down by its own
 * window.
 */

/** What a bucket is made of. */
export interface TokenBucketInit {
  /** The most tokens that the bucket can have; it starts with as many. */
  capacity: number
  /** How fast it fills. */
  perSecond: number
  /** Milliseconds, for tests. @default performance.now */
  now?: () => number
}

export class TokenBucket {
  readonly #init: TokenBucketInit
  readonly #now: () => number
  #tokens: number
  #filledAt: number

  constructor(init: TokenBucketInit) {
    this.#init = init
    this.#now = init.now ?? (() => performance.now())
    this.#tokens = init.capacity
    this.#filledAt = this.#now()
  }

  /** Takes tokens, and returns in how many milliseconds the debt is paid. */
  take(tokens: number): number {
    this.#set(this.#level() - tokens)
    return this.waitMs(0)
  }

  /** Puts tokens back. */
  refund(tokens: number): void {
    this.#set(Math.min(this.#init.capacity, this.#level() + tokens))
  }

  /** Milliseconds until the bucket has this many tokens, by default all that it can. */
  waitMs(tokens = this.#init.capacity): number {
    return Math.max(0, ((tokens - this.#level()) * 1000) / this.#init.perSecond)
  }

  #level(): number {
    const { capacity, perSecond } = this.#init
    return Math.min(capacity, this.#tokens + ((this.#now() - this.#filledAt) * perSecond) / 1000)
  }

  #set(tokens: number): void {
    this.#tokens = tokens
    this.#filledAt = this.#now()
  }
}
