/**
 * The table of reservations: peer, expiry, and the number per network.
 *
 * All reservations last equally long, and a refresh moves the entry to the end. So the map is in the order of
 * expiry, and one timer for the first entry is enough.
 */

import { longestDurationMs } from '../../src/config/quantities.ts'
import { networkOf } from '../../src/limits/ip-network.ts'
import { Counter } from '../../src/limits/counter.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { ReservationEnded, ReservationRefusal } from '../events.ts'
import type { Limits } from '../limits/limits.ts'
import type { RemoteNetwork } from '../../src/limits/ip-network.ts'

/** Options and callback of {@link Reservations}. */
export interface ReservationsInit {
  limits: Limits
  /** How long a reservation lasts without a refresh, in milliseconds. */
  ttlMs: number
  onEnded(ended: ReservationEnded): void
}

/** One reservation. */
export interface Reservation {
  readonly peerId: PeerId
  readonly remoteAddr: Multiaddr
  /** In milliseconds since the epoch. */
  readonly expiresAt: number
}

interface Entry extends Reservation {
  readonly network: RemoteNetwork
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

  /** Number of reservations. */
  get size(): number {
    return this.#entries.size
  }

  has(peerId: PeerId): boolean {
    return this.#entries.has(peerId.toString())
  }

  [Symbol.iterator](): Iterator<Reservation> {
    return this.#entries.values()
  }

  /** Grants a reservation, or refreshes the peer's existing one. */
  reserve(peerId: PeerId, remoteAddr: Multiaddr): Verdict {
    const key = peerId.toString()
    const held = this.#entries.get(key)
    const network = networkOf(remoteAddr)
    const refusal = this.#refusalOf(held, network)
    if (refusal !== undefined) return { refusal }
    if (held !== undefined) this.#remove(key, held)
    const granted = { peerId, remoteAddr, expiresAt: Date.now() + this.#init.ttlMs, network }
    this.#entries.set(key, granted)
    this.#networks.add(network.key)
    this.#schedule()
    return { granted, isRefresh: held !== undefined }
  }

  /** Ends the reservation of a peer, if it has one. */
  end(peerId: PeerId, reason: ReservationEnded['reason']): void {
    const key = peerId.toString()
    const held = this.#entries.get(key)
    if (held === undefined) return
    this.#remove(key, held)
    this.#schedule()
    this.#init.onEnded({ peerId, reason })
  }

  /** Ends all reservations. */
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
    // if the timer's entry is gone, the timer fires early and is scheduled again
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined
        this.#expire()
      },
      Math.min(longestDurationMs, Math.max(0, first.expiresAt - Date.now())),
    )
  }

  #expire(): void {
    const now = Date.now()
    for (const { peerId, expiresAt } of this.#entries.values()) {
      if (expiresAt > now) break
      this.end(peerId, 'expired')
    }
    this.#schedule()
  }
}
