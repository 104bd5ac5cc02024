/**
 * Token buckets by key: they refill with time, up to a capacity.
 *
 * Keys come from remotes, so their number is bounded. A full bucket is like a new one, and is dropped. If
 * there are still too many, the least recently used bucket is dropped.
 */

/** The parameters of all buckets. */
export interface TokenBucketsInit {
  /** Tokens of a full bucket. */
  capacity: number
  /** Tokens that a bucket regains per second. */
  perSecond: number
  /** Most buckets to keep. */
  maxKeys: number
  /** The time in milliseconds, for tests. @default performance.now */
  now?: () => number
}

interface Bucket {
  tokens: number
  at: number
}

/** Buckets by key. */
export class TokenBuckets {
  readonly #init: TokenBucketsInit
  readonly #now: () => number
  // in the order of their last use
  readonly #buckets = new Map<string, Bucket>()

  constructor(init: TokenBucketsInit) {
    this.#init = init
    this.#now = init.now ?? (() => performance.now())
  }

  /** Number of buckets that are kept. Some of them may be full by now. */
  get size(): number {
    return this.#buckets.size
  }

  /** Milliseconds until a token can be taken. 0 if one can be taken now. Takes none. */
  waitMs(key: string): number {
    const { tokens } = this.#filled(key)
    return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) * 1000) / this.#init.perSecond)
  }

  /** Takes tokens, even if there are not enough. The bucket then becomes negative. */
  take(key: string, tokens = 1): void {
    this.#put(key, this.#filled(key).tokens - tokens)
  }

  /** Returns tokens. */
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

  /** Checks a few buckets per call, starting with the least recently used, so that no call takes long. */
  #forgetOldest(): void {
    let looked = 0
    for (const key of this.#buckets.keys()) {
      const isFull = this.#filled(key).tokens >= this.#init.capacity
      if (isFull || this.#buckets.size > this.#init.maxKeys) this.#buckets.delete(key)
      if (++looked >= LOOKED_AT) return
    }
  }
}

// for each new bucket two old ones are checked, so full ones are dropped faster than new ones are added
const LOOKED_AT = 2
