/**
 * The table of reservations: peer, expiry, and the number per network.
 *
 * All reservations last equally long, and a refresh moves the entry to the end. So the map is in the order of
 * expiry, and one timer for the first entry is enough.
 */

import { longestDurationMs } from '../../src/config/kinds/quantities.ts'
import { FairShares } from '../../src/limits/fair-shares.ts'
import { networkOf, sharesOf } from '../../src/limits/ip-network.ts'
import { Quota } from '../../src/limits/quota.ts'
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
  /** Milliseconds since the epoch, by the wall clock as it is set now. */
  readonly expiresAt: number
  /** How long it lasts from now on unless it is refreshed, in milliseconds. */
  readonly remainingMs: number
}

/** What an {@link Entry} is made of. */
interface EntryInit extends Pick<Entry, 'peerId' | 'remoteAddr' | 'network' | 'release'> {
  ttlMs: number
}

/** Lives by the monotonic clock: a wall clock that is set ends no reservation, and makes none last longer. */
class Entry implements Reservation {
  readonly peerId: PeerId
  readonly remoteAddr: Multiaddr
  readonly network: RemoteNetwork
  /** Gives back the slot of the network. */
  readonly release: () => void
  readonly #endsAt: number

  constructor({ peerId, remoteAddr, network, release, ttlMs }: EntryInit) {
    this.peerId = peerId
    this.remoteAddr = remoteAddr
    this.network = network
    this.release = release
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
  readonly #quota = new Quota()
  /** No reservation counts as idle: it is there to wait. So one is replaced only for a network that has two fewer. */
  readonly #shares = new FairShares<Entry>({ lastUseOf: () => 0, idleMs: Infinity })
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
    const path = sharesOf(remoteAddr)
    const isFull = held === undefined && this.#entries.size >= this.#init.limits.maxReservations
    const replaced = isFull ? this.#shares.replaceable(path) : undefined
    if (isFull && replaced === undefined) return { refusal: 'full' }
    // a refresh from the same network keeps its slot
    const isSame = held?.network.key === network.key
    const release = isSame
      ? held.release
      : this.#quota.take([{ key: network.key, max: this.#maxOf(network) }])
    if (release === undefined) return { refusal: 'full-for-address' }
    if (replaced !== undefined) this.end(replaced.peerId, 'replaced')
    this.#entries.delete(key)
    if (held !== undefined) this.#shares.delete(held)
    if (!isSame) held?.release()
    const { ttlMs } = this.#init
    const granted = new Entry({ peerId, remoteAddr, network, release, ttlMs })
    this.#entries.set(key, granted)
    this.#shares.add(granted, path)
    this.#schedule()
    return { granted, isRefresh: held !== undefined }
  }

  /** Ends the reservation of a peer, if it has one. */
  end(peerId: PeerId, reason: ReservationEnded['reason']): void {
    const key = peerId.toString()
    const held = this.#entries.get(key)
    if (held === undefined) return
    this.#entries.delete(key)
    this.#shares.delete(held)
    held.release()
    this.#schedule()
    this.#init.onEnded({ peerId, reason })
  }

  /** Ends all reservations. */
  clear(): void {
    for (const { peerId } of this.#entries.values()) this.end(peerId, 'stopped')
  }

  #maxOf({ family }: RemoteNetwork): number {
    const { maxReservationsPerIpv4, maxReservationsPerIpv6Site } = this.#init.limits
    return family === 'ipv4' ? maxReservationsPerIpv4 : maxReservationsPerIpv6Site
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
