/**
 * Limits requests per second from one network: an IPv4 address, or an IPv6 /56, whose owner can use all its
 * addresses.
 */

import { RateLimiter } from '@libp2p/utils'
import { networkOf } from './ip-network.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Counts the requests of each second. */
export class RequestRates {
  readonly #limiter: RateLimiter | undefined

  constructor(perSecond: number) {
    this.#limiter = Number.isFinite(perSecond)
      ? new RateLimiter({ points: perSecond, duration: 1 })
      : undefined
  }

  /** Counts a request from this address. Returns true if it is within the limit. */
  allow(remoteAddr: Multiaddr): boolean {
    try {
      this.#limiter?.consume(networkOf(remoteAddr).key)
      return true
    } catch {
      return false
    }
  }
}
