/**
 * Who may have a dial-back now. There are few at a time and in a minute: each costs a socket and a handshake, and one that
 * is not answered takes 5 s.
 */

import { networkOf } from '../../src/limits/ip-network.ts'
import { Quota } from '../../src/limits/quota.ts'
import { RequestRates } from '../../src/limits/request-rates.ts'
import type { Connection } from '@libp2p/interface'

/** At a time for all. go-libp2p answers 60 in a minute (`serverRPM` of p2p/protocol/autonatv2/options.go), each of which may take 10 s. */
const MAX_DIAL_BACKS = 64

/** At a time for one network, where the peers of an office or of a carrier's NAT ask. */
const MAX_PER_NETWORK = 8

/** Dial-backs per minute for one network. go-libp2p grants as many to all peers together (`serverRPM`). */
const PER_NETWORK_AND_MINUTE = 60

const ALL = 'all'

/** The dial-backs of one relay. */
export class DialBackQuota {
  readonly #quota = new Quota()
  readonly #rates = new RequestRates(PER_NETWORK_AND_MINUTE, 60)

  /** Number of turns that are taken. */
  get size(): number {
    return this.#quota.count(ALL)
  }

  /**
   * Takes a dial-back for the remote of this connection, and returns the function that ends it. Undefined if it has one
   * already, or there are too many.
   */
  take({ remotePeer, remoteAddr }: Connection): (() => void) | undefined {
    const release = this.#quota.take([
      { key: remotePeer.toString(), max: 1 },
      { key: networkOf(remoteAddr).key, max: MAX_PER_NETWORK },
      { key: ALL, max: MAX_DIAL_BACKS },
    ])
    if (release === undefined || this.#rates.allow(remoteAddr)) return release
    release()
    return undefined
  }
}
