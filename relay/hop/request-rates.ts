/** How many requests a second may come from one IP address. */

import { RateLimiter } from '@libp2p/utils'
import { ipOf } from '../network.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Counts the requests of each second. */
export class RequestRates {
  readonly #limiter: RateLimiter | undefined

  constructor(perSecond: number) {
    this.#limiter = Number.isFinite(perSecond)
      ? new RateLimiter({ points: perSecond, duration: 1 })
      : undefined
  }

  /** Tells whether one more request from this address is within bounds. */
  allow(remoteAddr: Multiaddr): boolean {
    try {
      this.#limiter?.consume(String(ipOf(remoteAddr) ?? remoteAddr))
      return true
    } catch {
      return false
    }
  }
}
