/**
 * Who may have a dial-back now: few at once and in a minute, since each costs a socket and a handshake, and one that is not answered takes 5 s.
 */

import { RateLimiter } from '@libp2p/utils'
import { Counter } from '../../src/limits/counter.ts'
import { networkOf } from '../../src/limits/ip-network.ts'
import type { Connection } from '@libp2p/interface'

/** At once for all. go-libp2p answers 60 in a minute (`serverRPM` of p2p/protocol/autonatv2/options.go), each of which may take 10 s. */
const MAX_TURNS = 64

/** At once for one network, where the peers of an office or of a carrier's NAT ask. */
const MAX_TURNS_PER_NETWORK = 8

/** In a minute for one network: what go-libp2p grants to all together (`serverRPM`). */
const TURNS_PER_MINUTE = 60

/** The turns of one relay. */
export class Turns {
  readonly #peers = new Set<string>()
  readonly #networks = new Counter()
  readonly #rates = new RateLimiter({ points: TURNS_PER_MINUTE, duration: 60 })

  /** How many there are now. */
  get size(): number {
    return this.#peers.size
  }

  /** A turn for the remote of this connection, to be released; or nothing, when it has one already or there are too many. */
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
