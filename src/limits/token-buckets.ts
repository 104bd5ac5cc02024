/**
 * Token buckets, one for each key: what is taken comes back with time, up to a capacity.
 *
 * Keys come from remotes, so their number is bounded: the buckets that were used longest ago are forgotten, and so full.
 */

import QuickLRU from 'quick-lru'

/** What all buckets of one kind have in common. */
export interface TokenBucketsInit {
  /** Tokens of a bucket that nobody has taken from. */
  capacity: number
  /** How fast a bucket fills. */
  perSecond: number
  /** At least so many buckets are remembered, those used last, and at most twice as many. */
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
  readonly #buckets: QuickLRU<string, Bucket>

  constructor(init: TokenBucketsInit) {
    this.#init = init
    this.#buckets = new QuickLRU({ maxSize: init.maxKeys })
    this.#now = init.now ?? (() => performance.now())
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
    this.#buckets.set(key, { tokens, at: this.#now() })
  }
}
