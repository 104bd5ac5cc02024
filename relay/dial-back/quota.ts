/**
 * Quota of dial-backs: few at the same time, and few per minute.
 *
 * Each costs a socket and a handshake. One that gets no answer takes 5 s.
 */

import { RateLimiter } from '@libp2p/utils'
import { Counter } from '../../src/limits/counter.ts'
import { networkOf } from '../../src/limits/ip-network.ts'
import type { Connection } from '@libp2p/interface'

/**
 * Dial-backs at the same time. go-libp2p answers 60 per minute (`serverRPM` of
 * p2p/protocol/autonatv2/options.go), each of which may take 10 s.
 */
const MAX_TURNS = 64

/** Dial-backs at the same time for one network: an office, or a carrier's NAT with many peers. */
const MAX_TURNS_PER_NETWORK = 8

/** Dial-backs per minute for one network. go-libp2p grants as many to all peers together (`serverRPM`). */
const TURNS_PER_MINUTE = 60

/** The turns of one relay: a dial-back needs one while it runs. */
export class Turns {
  readonly #peers = new Set<string>()
  readonly #networks = new Counter()
  readonly #rates = new RateLimiter({ points: TURNS_PER_MINUTE, duration: 60 })

  /** Number of turns that are taken. */
  get size(): number {
    return this.#peers.size
  }

  /**
   * Takes a turn for the remote of this connection. Call `release` when the dial-back is over. Returns
   * `undefined` if the peer already has a turn, or a quota is used up.
   */
  take({ remotePeer, remoteAddr }: Connection): { release: () => void } | undefined {
    const peer = remotePeer.toString()
    const { key } = networkOf(remoteAddr)
    if (this.#peers.has(peer) || this.#peers.size >= MAX_TURNS) return undefined
    if (this.#networks.count(key) >= MAX_TURNS_PER_NETWORK || !this.#isSlow(key)) return undefined
    this.#peers.add(peer)
    this.#networks.add(key)
    return {
      release: () => {
        this.#peers.delete(peer)
        this.#networks.remove(key)
      },
    }
  }

  #isSlow(network: string): boolean {
    try {
      this.#rates.consume(network)
      return true
    } catch {
      return false
    }
  }
}
