/** How many requests may come from one network in a time: an IPv4 address, or an IPv6 /56, whose holder has all addresses in it. */

import { RateLimiter } from '@libp2p/utils'
import { networkOf } from './ip-network.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

export class RequestRates {
  readonly #limiter: RateLimiter | undefined

  /**
   * @param count - how many, without a bound if infinite
   * @param seconds - in which time
   */
  constructor(count: number, seconds = 1) {
    this.#limiter = Number.isFinite(count) ? new RateLimiter({ points: count, duration: seconds }) : undefined
  }

  /** Counts one from this address, and tells whether it is within the bound. */
  allow(remoteAddr: Multiaddr): boolean {
    try {
      this.#limiter?.consume(networkOf(remoteAddr).key)
      return true
    } catch {
      return false
    }
  }
}
