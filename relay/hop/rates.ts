/** Rate limits: the token buckets of circuits, of peers, and of the relay. */

import { TokenBucket } from '../../src/limits/token-bucket.ts'
import type { CircuitOpened } from '../events.ts'
import type { Limits } from '../limits/limits.ts'

interface PeerBucket {
  readonly bucket: TokenBucket
  circuits: number
  /**
   * Runs if the peer has no circuit and its bucket is not full. Deleting the bucket earlier would give the
   * next circuit a full one.
   */
  timer?: NodeJS.Timeout
}

/** The buckets that one circuit draws on. */
export interface CircuitRates {
  readonly buckets: readonly TokenBucket[]
  /** Must be called when the circuit has ended. */
  release(): void
}

/** The buckets of a relay. */
export class Rates {
  readonly #limits: Limits
  readonly #total: TokenBucket | undefined
  readonly #peers = new Map<string, PeerBucket>()

  constructor(limits: Limits) {
    this.#limits = limits
    this.#total = boundedBucketOf(limits.totalBytesPerSecond)
  }

  /** Number of peers that have a bucket. */
  get size(): number {
    return this.#peers.size
  }

  /** The buckets for a new circuit: its own, those of both peers, and the relay's. */
  ofCircuit({ initiator, responder }: CircuitOpened): CircuitRates {
    const peers = new Set([initiator.toString(), responder.toString()])
    const buckets = [boundedBucketOf(this.#limits.circuitBytesPerSecond), this.#total]
    if (Number.isFinite(this.#limits.peerBytesPerSecond)) {
      for (const peer of peers) buckets.push(this.#acquire(peer))
    }
    return {
      buckets: buckets.filter(it => it !== undefined),
      release: () => peers.forEach(peer => this.#release(peer)),
    }
  }

  /** Deletes all buckets of peers. */
  clear(): void {
    for (const { timer } of this.#peers.values()) clearTimeout(timer)
    this.#peers.clear()
  }

  #acquire(peer: string): TokenBucket {
    const entry = this.#peers.get(peer) ?? {
      bucket: bucketOf(this.#limits.peerBytesPerSecond),
      circuits: 0,
    }
    clearTimeout(entry.timer)
    entry.circuits++
    this.#peers.set(peer, entry)
    return entry.bucket
  }

  #release(peer: string): void {
    const entry = this.#peers.get(peer)
    if (entry === undefined || --entry.circuits > 0) return
    entry.timer = setTimeout(() => this.#peers.delete(peer), entry.bucket.waitMs()).unref()
  }
}

/** Has as many bytes as flow in one second. */
function bucketOf(bytesPerSecond: number): TokenBucket {
  return new TokenBucket({ capacity: bytesPerSecond, perSecond: bytesPerSecond })
}

function boundedBucketOf(bytesPerSecond: number): TokenBucket | undefined {
  return Number.isFinite(bytesPerSecond) ? bucketOf(bytesPerSecond) : undefined
}
