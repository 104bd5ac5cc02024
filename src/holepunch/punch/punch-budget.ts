/**
 * What remotes can make this node do, all of them together: SYNs to addresses of their choice.
 *
 * One punch is bounded: 8 candidates and 100 dials of each. But a remote can begin upgrade after upgrade, and any
 * number of identities cost it nothing, so that many "remotes" can name one victim. Hence three budgets that live as long
 * as the node: dials to one address, whoever named it; dials in all; and attempts with one remote. What has proved itself
 * is given back: whoever answers as the remote does has asked for it.
 */

import net from 'node:net'
import ipaddr from 'ipaddr.js'
import { TokenBuckets } from '../../limits/token-buckets.ts'
import type { PeerId } from '@libp2p/interface'

/**
 * Dials of one address, whatever the ports, before they are slowed down: three attempts (DCUtR.md) of 100 dials
 * (`MAX_DIALS` in redial.ts), the most that one honest upgrade makes. Peers that share a NAT share this, and need a few each.
 */
export const DIALS_PER_ADDRESS = 300

/**
 * Dials of one address per second from then on. A host of any size answers as many with RST and does not notice;
 * a thousand nodes together make as much as a 3 Mbit/s line carries.
 */
export const DIALS_PER_SECOND = 5

/**
 * Dials of all addresses. A hundred punches at once of which each is refused for half a second at a round trip of 25 ms,
 * as when a service comes up again. It also bounds what is left in the connection table of this node's own NAT, which
 * keeps an unanswered SYN for 2 min (Linux, `nf_conntrack_tcp_timeout_syn_sent`): 8,000 entries at the most.
 */
export const DIALS_IN_ALL = 2_000
export const DIALS_IN_ALL_PER_SECOND = 50

/** Attempts with one remote that come to nothing: three upgrades (DCUtR.md: 3 attempts each), and one a minute from then on. */
export const ATTEMPTS_PER_REMOTE = 9
const ATTEMPTS_PER_REMOTE_PER_SECOND = 1 / 20

// An address stays in mind for as long as its dials take to come back; by the bound on all dials that is fewer.
const MAX_ADDRESSES = 4_096

// 100 bytes each. Beyond it the remote is forgotten whose attempt was the longest ago.
const MAX_REMOTES = 4_096

const ALL = 'all'

/** The budgets of one node. */
export class PunchBudget {
  readonly #addresses: TokenBuckets
  readonly #all: TokenBuckets
  readonly #remotes: TokenBuckets

  constructor({ now }: { now?: () => number } = {}) {
    const clock = now === undefined ? {} : { now }
    this.#addresses = new TokenBuckets({
      capacity: DIALS_PER_ADDRESS,
      perSecond: DIALS_PER_SECOND,
      maxKeys: MAX_ADDRESSES,
      ...clock,
    })
    this.#all = new TokenBuckets({
      capacity: DIALS_IN_ALL,
      perSecond: DIALS_IN_ALL_PER_SECOND,
      maxKeys: 1,
      ...clock,
    })
    this.#remotes = new TokenBuckets({
      capacity: ATTEMPTS_PER_REMOTE,
      perSecond: ATTEMPTS_PER_REMOTE_PER_SECOND,
      maxKeys: MAX_REMOTES,
      ...clock,
    })
  }

  /** Takes an attempt with a remote; false if it has had as many as it may. */
  takeAttempt(remotePeer: PeerId): boolean {
    const key = remotePeer.toString()
    if (this.#remotes.waitMs(key) > 0) return false
    this.#remotes.take(key)
    return true
  }

  /** Gives back attempts of an upgrade that has succeeded. */
  refundAttempts(remotePeer: PeerId, attempts: number): void {
    this.#remotes.refund(remotePeer.toString(), attempts)
  }

  /** Takes a dial of a host and returns 0, or takes none and returns after how many milliseconds to ask again. */
  takeDial(host: string): number {
    const key = networkOf(host)
    const waitMs = Math.max(this.#addresses.waitMs(key), this.#all.waitMs(ALL))
    if (waitMs === 0) this.#take(key, 1)
    return waitMs
  }

  /**
   * Takes what a dial that lasted this long has cost beyond its first SYN, even where there is nothing left. Linux repeats
   * an unanswered one each second at the most (`tcp_syn_linear_timeouts`; RFC 6298 section 2.1: not sooner).
   */
  chargeRepetitions(host: string, elapsedMs: number): void {
    const syns = Math.floor(elapsedMs / 1_000)
    if (syns > 0) this.#take(networkOf(host), syns)
  }

  /** Gives back dials of an endpoint at which the remote itself has answered. */
  refundDials(host: string, dials: number): void {
    this.#addresses.refund(networkOf(host), dials)
    this.#all.refund(ALL, dials)
  }

  #take(key: string, dials: number): void {
    this.#addresses.take(key, dials)
    this.#all.take(ALL, dials)
  }
}

/** An IPv4 address, or the /64 that a host has all of (RFC 4291 section 2.5.4). */
function networkOf(host: string): string {
  if (!net.isIPv6(host)) return host
  return ipaddr.IPv6.parse(host).parts.slice(0, 4).join(':')
}
