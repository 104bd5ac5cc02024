/**
 * The reservations of a relay: who holds one, until when, and how many come from one network.
 *
 * All last equally long and refreshing moves one to the end, so the map is in the order of expiry and one timer, for the
 * first of them, is enough.
 */

import { longestDurationMs } from '../../src/config/quantities.ts'
import { networkOf } from '../../src/limits/ip-network.ts'
import { Counter } from '../../src/limits/counter.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { ReservationEnded, ReservationRefusal } from '../events.ts'
import type { Limits } from '../limits/limits.ts'
import type { RemoteNetwork } from '../../src/limits/ip-network.ts'

/** What the reservations have to know, and whom they tell. */
export interface ReservationsInit {
  limits: Limits
  /** How long a reservation lasts unless it is refreshed, in milliseconds. */
  ttlMs: number
  onEnded(ended: ReservationEnded): void
}

/** One reservation. */
export interface Reservation {
  readonly peerId: PeerId
  readonly remoteAddr: Multiaddr
  /** Milliseconds since the epoch, by the wall clock as it is set now. */
  readonly expiresAt: number
  /** How long it lasts from now on unless it is refreshed, in milliseconds. */
  readonly remainingMs: number
}

/** Lives by the monotonic clock: a wall clock that is set ends no reservation, and makes none last longer. */
class Entry implements Reservation {
  readonly peerId: PeerId
  readonly remoteAddr: Multiaddr
  readonly network: RemoteNetwork
  readonly #endsAt: number

  constructor(peerId: PeerId, remoteAddr: Multiaddr, network: RemoteNetwork, ttlMs: number) {
    this.peerId = peerId
    this.remoteAddr = remoteAddr
    this.network = network
    this.#endsAt = performance.now() + ttlMs
  }

  get remainingMs(): number {
    return Math.max(0, this.#endsAt - performance.now())
  }

  get expiresAt(): number {
    return Math.round(Date.now() + this.remainingMs)
  }
}

type Verdict = { granted: Reservation; isRefresh: boolean } | { refusal: ReservationRefusal }

/** The table of reservations. */
export class Reservations {
  readonly #init: ReservationsInit
  readonly #entries = new Map<string, Entry>()
  readonly #networks = new Counter()
  #timer: NodeJS.Timeout | undefined

  constructor(init: ReservationsInit) {
    this.#init = init
  }

  /** How many peers hold a reservation. */
  get size(): number {
    return this.#entries.size
  }

  has(peerId: PeerId): boolean {
    return this.#entries.has(peerId.toString())
  }

  [Symbol.iterator](): Iterator<Reservation> {
    return this.#entries.values()
  }

  /** Grants a reservation, or refreshes the one that the peer holds. */
  reserve(peerId: PeerId, remoteAddr: Multiaddr): Verdict {
    const key = peerId.toString()
    const held = this.#entries.get(key)
    const network = networkOf(remoteAddr)
    const refusal = this.#refusalOf(held, network)
    if (refusal !== undefined) return { refusal }
    if (held !== undefined) this.#remove(key, held)
    const granted = new Entry(peerId, remoteAddr, network, this.#init.ttlMs)
    this.#entries.set(key, granted)
    this.#networks.add(network.key)
    this.#schedule()
    return { granted, isRefresh: held !== undefined }
  }

  /** Ends the reservation of a peer, if it holds one. */
  end(peerId: PeerId, reason: ReservationEnded['reason']): void {
    const key = peerId.toString()
    const held = this.#entries.get(key)
    if (held === undefined) return
    this.#remove(key, held)
    this.#schedule()
    this.#init.onEnded({ peerId, reason })
  }

  /** Ends all. */
  clear(): void {
    for (const { peerId } of this.#entries.values()) this.end(peerId, 'stopped')
  }

  #refusalOf(held: Entry | undefined, network: RemoteNetwork): ReservationRefusal | undefined {
    const { limits } = this.#init
    if (held === undefined && this.#entries.size >= limits.maxReservations) return 'full'
    if (held?.network.key === network.key) return undefined
    const most = network.family === 'ipv4' ? limits.maxReservationsPerIpv4 : limits.maxReservationsPerIpv6Site
    return this.#networks.count(network.key) >= most ? 'full-for-address' : undefined
  }

  #remove(key: string, { network }: Entry): void {
    this.#entries.delete(key)
    this.#networks.remove(network.key)
  }

  #schedule(): void {
    const [first] = this.#entries.values()
    if (first === undefined) {
      clearTimeout(this.#timer)
      this.#timer = undefined
      return
    }
    // a timer that fires too early, since its entry is gone, looks again
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined
        this.#expire()
      },
      Math.min(longestDurationMs, Math.ceil(first.remainingMs)),
    )
  }

  #expire(): void {
    for (const { peerId, remainingMs } of this.#entries.values()) {
      if (remainingMs > 0) break
      this.end(peerId, 'expired')
    }
    this.#schedule()
  }
}
