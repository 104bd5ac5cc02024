/** A series of pings to one peer, and its summary. */

import { setTimeout as pause } from 'node:timers/promises'
import { Moment } from '../../../src/time/moment.ts'
import type { Path } from '../../node/events.ts'
import type { PeerConnection, Pong } from '../../connections/connection.ts'

/** The result of a session. */
export interface PingSummary {
  sent: number
  received: number
  /** The path of the last answer, or the current path if there was none. */
  path: Path | null
  /** When the path was first relayed, and first direct, in milliseconds since the epoch. */
  relayedAt: number | null
  directAt: number | null
  /** Round trips of all answers, in milliseconds. */
  rttMs: { min: number; median: number; max: number } | null
}

/** The parameters of a session. */
export interface PingPlan {
  /** Most pings to send. */
  count: number
  intervalMs: number
  /** Time for each answer, in milliseconds. */
  timeoutMs: number
  untilDirect: boolean
}

/** Sends pings one after the other, as the plan says. */
export class PingSession {
  readonly #connection: PeerConnection
  readonly #plan: PingPlan
  readonly #rtts: number[] = []
  #sent = 0
  #path: Path | null = null
  #relayed: Moment | null = null
  #direct: Moment | null = null

  constructor(connection: PeerConnection, plan: PingPlan) {
    this.#connection = connection
    this.#plan = plan
    this.#see(connection.path)
  }

  /**
   * Pings until the count is reached or `signal` fires. With `untilDirect` also until the path is direct, or
   * `decided` fires: the path will then not change any more, so one more ping follows immediately.
   */
  async run(
    onPong: (pong: Pong & { seq: number }) => void,
    onLost: (seq: number, error: unknown) => void,
    signal: AbortSignal,
    decided: AbortSignal,
  ): Promise<void> {
    const { count, intervalMs, timeoutMs, untilDirect } = this.#plan
    while (this.#sent < count && !signal.aborted) {
      const seq = ++this.#sent
      const wasDecided = decided.aborted
      try {
        const pong = await this.#connection.ping({
          signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
        })
        this.#note(pong)
        onPong({ seq, ...pong })
        if (untilDirect && pong.path === 'direct') return
      } catch (error) {
        if (signal.aborted) return
        onLost(seq, error)
      }
      if (untilDirect && wasDecided) return
      if (this.#sent < count) await this.#rest(intervalMs, signal, decided)
    }
  }

  summary(): PingSummary {
    const sorted = this.#rtts.toSorted((a, b) => a - b)
    const [min, median, max] = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)]
    return {
      sent: this.#sent,
      received: sorted.length,
      path: this.#path,
      relayedAt: this.#relayed?.wall ?? null,
      directAt: this.#direct?.wall ?? null,
      rttMs: min === undefined || median === undefined || max === undefined ? null : { min, median, max },
    }
  }

  async #rest(intervalMs: number, signal: AbortSignal, decided: AbortSignal): Promise<void> {
    const wake = this.#plan.untilDirect && !decided.aborted ? AbortSignal.any([signal, decided]) : signal
    await pause(intervalMs, undefined, { signal: wake }).catch(() => {})
  }

  #note({ rttMs, path }: Pong): void {
    this.#rtts.push(rttMs)
    this.#see(path)
  }

  #see(path: Path): void {
    this.#path = path
    if (path === 'relayed') this.#relayed ??= new Moment()
    else this.#direct ??= new Moment()
  }
}
