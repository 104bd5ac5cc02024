/**
 * Token buckets, one for each key: what is taken comes back with time, up to a capacity.
 *
 * Keys come from remotes, so there are at most so many of them. A bucket that is full again is no different from one that
 * never was, and is forgotten; beyond the bound the one that was touched longest ago goes.
 */

/** What all buckets of one kind have in common. */
export interface TokenBucketsInit {
  /** Tokens of a bucket that nobody has taken from. */
  capacity: number
  /** How fast a bucket fills. */
  perSecond: number
  /** How many buckets are kept in mind. */
  maxKeys: number
  /** Milliseconds, for tests. @default performance.now */
  now?: () => number
}

interface Bucket {
  tokens: number
  at: number
}

/** The buckets of one kind. */
export class TokenBuckets {
  readonly #init: TokenBucketsInit
  readonly #now: () => number
  // in the order in which they were touched
  readonly #buckets = new Map<string, Bucket>()

  constructor(init: TokenBucketsInit) {
    this.#init = init
    this.#now = init.now ?? (() => performance.now())
  }

  /** How many buckets are not full, as far as is known. */
  get size(): number {
    return this.#buckets.size
  }

  /** Milliseconds until a token can be taken; 0 if one can now. Takes none. */
  waitMs(key: string): number {
    const { tokens } = this.#filled(key)
    return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) * 1000) / this.#init.perSecond)
  }

  /** Takes tokens, whether or not there are enough: what is missing has to come back first. */
  take(key: string, tokens = 1): void {
    this.#put(key, this.#filled(key).tokens - tokens)
  }

  /** Puts tokens back. */
  refund(key: string, tokens: number): void {
    this.#put(key, Math.min(this.#init.capacity, this.#filled(key).tokens + tokens))
  }

  #filled(key: string): Bucket {
    const { capacity, perSecond } = this.#init
    const at = this.#now()
    const bucket = this.#buckets.get(key)
    if (bucket === undefined) return { tokens: capacity, at }
    return { tokens: Math.min(capacity, bucket.tokens + ((at - bucket.at) * perSecond) / 1000), at }
  }

  #put(key: string, tokens: number): void {
    this.#buckets.delete(key)
    if (tokens >= this.#init.capacity) return
    this.#buckets.set(key, { tokens, at: this.#now() })
    this.#forgetOldest()
  }

  /** A few at a time from the side that was not touched for longest, so that no call takes long. */
  #forgetOldest(): void {
    let looked = 0
    for (const key of this.#buckets.keys()) {
      const isFull = this.#filled(key).tokens >= this.#init.capacity
      if (isFull || this.#buckets.size > this.#init.maxKeys) this.#buckets.delete(key)
      if (++looked >= LOOKED_AT) return
    }
  }
}

// each new bucket makes two old ones be looked at, so that full ones go faster than new ones come
const LOOKED_AT = 2
