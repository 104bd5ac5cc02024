/**
 * The direct paths that do not carry data: small packets pass, and large ones are lost, or the connection dies under
 * load. A router with a smaller MTU whose ICMP errors are filtered does that (RFC 2923 section 2.1), and so do some
 * middleboxes.
 *
 * Such a path is worse than a relay, so it is neither dialled nor punched for a while: 30 s at first, twice as long
 * after each further failure, one hour at most. It is one remote peer at one address, seen from one network: in another
 * network {@link clear} forgets all. A path also dies when the remote peer moves to another network; {@link
 * LossyPaths.remoteOffers} then forgets it, so that the peer gets a direct path when it comes back.
 */

import { bare } from '../candidates.ts'
import { endpointOf } from '../../addresses/endpoint.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** The first pause and the longest one, in milliseconds. */
const PAUSE = { firstMs: 30_000, longestMs: 60 * 60_000 } as const

/**
 * A connection that died in use can have been ended by a restart, a crash, a sleep or a move of the remote peer, or of a
 * router. Only another one within this time, in milliseconds, says that it is the path.
 */
const DEATHS_WITHIN_MS = 10 * 60_000

/** Several connections of one path die of the same cause within this time, in milliseconds, and count as one. */
const ONE_DEATH_MS = 2_000

/** Paths that are remembered. Beyond it the one that failed the longest ago is forgotten. */
const MAX_PATHS = 1_024

interface Record {
  failures: number
  pausedUntil: number
  lastDeathAt: number
  /** Small packets passed and large ones did not. Otherwise the path died, which has other causes, too. */
  isProven: boolean
}

/** What shows that a path is lossy: no full packet got through, sent data was not acknowledged, or it was reset in use. */
export type LossEvidence = 'no-full-packet' | 'unacknowledged' | 'reset'

/** The paths of one node. Times are those of a monotonic clock, in milliseconds. */
export class LossyPaths {
  readonly #now: () => number
  readonly #paths = new Map<string, Record>()

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Notes that a path has failed in this way. */
  note(peerId: PeerId, addr: Multiaddr, evidence: LossEvidence): void {
    const key = keyOf(peerId, addr)
    const now = this.#now()
    const path = this.#paths.get(key) ?? createRecord()
    // an hour of peace after the last pause: what happened before does not count any more
    if (now - path.pausedUntil > PAUSE.longestMs) path.failures = 0
    const isDeath = evidence !== 'no-full-packet'
    const sinceDeathMs = now - path.lastDeathAt
    if (isDeath && sinceDeathMs < ONE_DEATH_MS) return
    const isCertain = !isDeath || sinceDeathMs < DEATHS_WITHIN_MS
    if (isDeath) path.lastDeathAt = now
    else path.isProven = true
    if (isCertain && now >= path.pausedUntil) {
      path.pausedUntil = now + Math.min(PAUSE.firstMs * 2 ** path.failures, PAUSE.longestMs)
      path.failures++
    }
    this.#remember(key, path)
  }

  /** True while this path is not to be used. */
  has(peerId: PeerId, addr: Multiaddr): boolean {
    return this.remainingMs(peerId, addr) > 0
  }

  /** True while a path to this peer is not to be used. */
  hasAny(peerId: PeerId): boolean {
    const now = this.#now()
    return [...this.#paths].some(
      ([key, { pausedUntil }]) => key.startsWith(`${peerId} `) && pausedUntil > now,
    )
  }

  /** How long this path is not to be used, in milliseconds; 0 if it may be used. */
  remainingMs(peerId: PeerId, addr: Multiaddr): number {
    const path = this.#paths.get(keyOf(peerId, addr))
    return path === undefined ? 0 : Math.max(path.pausedUntil - this.#now(), 0)
  }

  /**
   * Takes the addresses that a remote peer offers now. A path to an address that is no longer among them died because
   * the peer has left that network, unless the loss of large packets was proven: it is forgotten.
   */
  remoteOffers(peerId: PeerId, addrs: readonly Multiaddr[]): void {
    const offered = new Set(addrs.flatMap(addr => bare(addr) ?? []).map(addr => keyOf(peerId, addr)))
    if (offered.size === 0) return
    for (const [key, { isProven }] of this.#paths)
      if (!isProven && key.startsWith(`${peerId} `) && !offered.has(key)) this.#paths.delete(key)
  }

  /** Forgets all, since the network has changed. */
  clear(): void {
    this.#paths.clear()
  }

  #remember(key: string, path: Record): void {
    this.#paths.delete(key)
    this.#paths.set(key, path)
    const [oldest] = this.#paths.keys()
    if (this.#paths.size > MAX_PATHS && oldest !== undefined) this.#paths.delete(oldest)
  }
}

function createRecord(): Record {
  return { failures: 0, pausedUntil: -Infinity, lastDeathAt: -Infinity, isProven: false }
}

/** The port does not matter: it is the same way through the network. */
function keyOf(peerId: PeerId, addr: Multiaddr): string {
  return `${peerId} ${endpointOf(addr).host}`
}
