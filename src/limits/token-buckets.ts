/**
 * Token buckets, one for each key.
 *
 * Keys come from remotes, so their number is bounded: the buckets that were used longest ago are forgotten, and so full.
 */

import QuickLRU from 'quick-lru'
import { TokenBucket } from './token-bucket.ts'
import type { TokenBucketInit } from './token-bucket.ts'

/** The parameters of all buckets. */
export interface TokenBucketsInit extends TokenBucketInit {
  /** At least so many buckets are remembered, those used last, and at most twice as many. */
  maxKeys: number
}

/** Buckets by key. */
export class TokenBuckets {
  readonly #init: TokenBucketsInit
  readonly #buckets: QuickLRU<string, TokenBucket>

  constructor(init: TokenBucketsInit) {
    this.#init = init
    this.#buckets = new QuickLRU({ maxSize: init.maxKeys })
  }

  /** Milliseconds until a token can be taken. 0 if one can be taken now. Takes none. */
  waitMs(key: string): number {
    return Math.ceil(this.#buckets.get(key)?.waitMs(1) ?? 0)
  }

  /** Takes tokens, even if there are not enough. The bucket then becomes negative. */
  take(key: string, tokens = 1): void {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#init)
    this.#buckets.set(key, bucket)
    bucket.take(tokens)
  }

  /** Returns tokens. */
  refund(key: string, tokens: number): void {
    this.#buckets.get(key)?.refund(tokens)
  }
}
