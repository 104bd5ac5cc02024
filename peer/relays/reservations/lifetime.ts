/**
 * How long a reservation lasts, and when it is refreshed.
 *
 * The answer of circuit-relay v2 gives the end by the relay's clock. The difference to this machine's clock is the life only if both are right, which nothing shows. So it
 * is trusted within bounds only: refreshing too often costs the relay little, and refreshing too late makes this peer unreachable. Relays of this project also give the
 * life itself, which is exact. The time since the answer is counted on the monotonic clock.
 */

import type { Clock } from '../../../src/time/clock.ts'

/** A reservation is refreshed so long before its end, or at half its time if that is short, in milliseconds (circuit-relay-v2's `REFRESH_TIMEOUT`). */
const REFRESH_BEFORE_MS = 5 * 60_000

/**
 * Bounds for the time between two refreshes, in milliseconds. The longest is less than half of the hour that go-libp2p and rust-libp2p grant; js-libp2p grants two. The
 * shortest is half of the least that `throughnat-relay` grants. An embedded relay may grant less: if it gives the life itself, `leastExact` is the bound.
 */
const REFRESH_MS = { leastExact: 1_000, least: 30_000, most: 25 * 60_000 } as const

/** The longest life that is counted with, in milliseconds: any time and this are still a date. */
const LONGEST_MS = 100 * 365 * 86_400_000

/** The life of one granted reservation. */
export class Lifetime {
  readonly #clock: Clock
  readonly #grantedAt: number
  readonly #remainingMs: number
  readonly #intervalMs: number
  /** How far the relay's clock is ahead of this machine's, in milliseconds, within a second or so; undefined if the relay does not give the life itself. */
  readonly clockAheadMs: number | undefined

  /**
   * Begins now, when the answer has come.
   *
   * @param expiresAt - milliseconds since the epoch, by the relay's clock
   * @param remainingMs - the life itself in milliseconds, if the relay gives it
   */
  constructor(expiresAt: number, remainingMs: number | undefined, clock: Clock) {
    const byClocksMs = expiresAt - clock.wall()
    this.#clock = clock
    this.#grantedAt = clock.now()
    this.#remainingMs = clamp(remainingMs ?? byClocksMs, -LONGEST_MS, LONGEST_MS)
    this.#intervalMs = intervalOf(this.#remainingMs, remainingMs !== undefined)
    this.clockAheadMs = remainingMs === undefined ? undefined : byClocksMs - remainingMs
  }

  /** How long until it has to be refreshed, in milliseconds; 0 or less when that is due. */
  get refreshInMs(): number {
    return this.#intervalMs - this.#ageMs
  }

  /** When it ends, by the wall clock as it is set now. If the relay does not give the life itself, this is only as right as both clocks. */
  get expiresAt(): Date {
    return new Date(Math.round(this.#clock.wall() + this.#remainingMs - this.#ageMs))
  }

  get #ageMs(): number {
    return this.#clock.now() - this.#grantedAt
  }
}

function intervalOf(lifeMs: number, isExact: boolean): number {
  const wantedMs = Math.max(lifeMs - REFRESH_BEFORE_MS, lifeMs / 2)
  const leastMs = isExact ? clamp(lifeMs / 2, REFRESH_MS.leastExact, REFRESH_MS.least) : REFRESH_MS.least
  return clamp(wantedMs, leastMs, REFRESH_MS.most)
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most)
}
