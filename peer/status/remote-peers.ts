/**
 * The remote peers of a node: how each is connected, and the outcome of the last punch. Collected from
 * events, with bounded memory.
 */

import { holePunchAdvice } from '../../src/errors.ts'
import { systemClock } from '../../src/time/clock.ts'
import { Moment } from '../../src/time/moment.ts'
import type { HolePunchFailure } from '../../src/errors.ts'
import type { Clock } from '../../src/time/clock.ts'
import type { Path } from '../node/events.ts'
import type { Peer } from '../node/peer.ts'

/** The state of the last upgrade to a direct path. */
export interface PunchStatus {
  outcome: 'running' | 'succeeded' | 'failed'
  /** When it started, in milliseconds since the epoch. */
  at: number
  attempts: number
  /** How long it took, in milliseconds. `null` while it runs. */
  elapsedMs: number | null
  /** Why it failed, and advice for the user. */
  reason: HolePunchFailure | null
  advice: string | null
}

/** A remote peer, as known from events. */
export interface RemotePeer {
  peerId: string
  /** `null` if it is not connected. */
  path: Path | null
  remoteAddr: string | null
  /** When it got this path, or disconnected, in milliseconds since the epoch. */
  since: number
  punch: PunchStatus | null
}

/** What is kept of one. Times are moments, so that they stay right when the wall clock is set. */
interface Entry extends Omit<RemotePeer, 'since' | 'punch'> {
  since: Moment
  punch: (Omit<PunchStatus, 'at'> & { at: Moment }) | null
}

/**
 * Most peers to remember. Disconnected ones are dropped, because any number of peers may connect and leave.
 */
const MAX_PEERS = 256

/** Follows the events of a peer from now on. */
export class RemotePeers {
  readonly #peers = new Map<string, Entry>()
  readonly #clock: Clock

  constructor(peer: Pick<Peer, 'addEventListener'>, clock: Clock = systemClock) {
    this.#clock = clock
    for (const event of ['peer:connected', 'path:changed'] as const)
      peer.addEventListener(event, ({ detail: { peerId, path, remoteAddr } }) =>
        this.#update(peerId.toString(), { path, remoteAddr: remoteAddr.toString(), since: this.#now() }),
      )
    peer.addEventListener('peer:disconnected', ({ detail: { peerId } }) =>
      this.#update(peerId.toString(), { path: null, remoteAddr: null, since: this.#now() }),
    )
    this.#followPunches(peer)
  }

  /** Connected peers and former ones, in the order of their last event. */
  get all(): readonly RemotePeer[] {
    return [...this.#peers.values()].map(({ since, punch, ...peer }) => ({
      ...peer,
      since: since.wall,
      punch: punch === null ? null : { ...punch, at: punch.at.wall },
    }))
  }

  #followPunches(peer: Pick<Peer, 'addEventListener'>): void {
    peer.addEventListener('holepunch:started', ({ detail: { peerId } }) =>
      this.#update(peerId.toString(), { punch: this.#begun() }),
    )
    peer.addEventListener('holepunch:attempt', ({ detail: { peerId, n } }) =>
      this.#punch(peerId.toString(), { attempts: n }),
    )
    peer.addEventListener('holepunch:succeeded', ({ detail: { peerId, elapsedMs } }) =>
      this.#punch(peerId.toString(), { outcome: 'succeeded', elapsedMs }),
    )
    peer.addEventListener('holepunch:failed', ({ detail: { peerId, elapsedMs, reason } }) =>
      this.#punch(peerId.toString(), {
        outcome: 'failed',
        elapsedMs,
        reason,
        advice: holePunchAdvice[reason],
      }),
    )
  }

  #punch(peerId: string, change: Partial<Omit<PunchStatus, 'at'>>): void {
    const punch = this.#peers.get(peerId)?.punch ?? this.#begun()
    this.#update(peerId, { punch: { ...punch, ...change } })
  }

  #begun(): Entry['punch'] & {} {
    return { outcome: 'running', at: this.#now(), attempts: 0, elapsedMs: null, reason: null, advice: null }
  }

  #update(peerId: string, change: Partial<Entry>): void {
    const before = this.#peers.get(peerId)
    const unknown: Entry = { peerId, path: null, remoteAddr: null, since: this.#now(), punch: null }
    this.#peers.delete(peerId)
    this.#peers.set(peerId, { ...unknown, ...before, ...change })
    for (const [key, { path }] of this.#peers) {
      if (this.#peers.size <= MAX_PEERS) return
      if (path === null) this.#peers.delete(key)
    }
  }

  #now(): Moment {
    return new Moment(this.#clock)
  }
}
