/** How much a second may come from one network: an IPv4 address, or an IPv6 /56, whose holder has all addresses in it. */

import { RateLimiter } from '@libp2p/utils'
import { networkOf } from './ip-network.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Counts those of each second. */
export class RequestRates {
  readonly #limiter: RateLimiter | undefined

  constructor(perSecond: number) {
    this.#limiter = Number.isFinite(perSecond)
      ? new RateLimiter({ points: perSecond, duration: 1 })
      : undefined
  }

  /** Tells whether one more from this address is within bounds. */
  allow(remoteAddr: Multiaddr): boolean {
    try {
      this.#limiter?.consume(networkOf(remoteAddr).key)
      return true
    } catch {
      return false
    }
  }
}
