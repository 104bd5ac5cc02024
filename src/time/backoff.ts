/**
 * Growing pauses between attempts to reach one relay or one remote peer.
 *
 * The pauses grow with the time since the first failure, and are random in part.
 */

/**
 * The first pause, in milliseconds. It doubles with each failure. A relay that restarts is back within
 * seconds.
 */
const FIRST_MS = 500

/** The longest pause while a failure is recent, in milliseconds. */
const SOON_MS = 2_000

/**
 * The longest pause of all, in milliseconds. A thousand peers of a failed relay then send its host about 50
 * SYNs per second.
 */
const LONGEST_MS = 30_000

/** Within these limits, a pause is at most this part of the time since the first failure. */
const SHARE = 1 / 20

/** The pauses for one relay or peer. */
export class Backoff {
  readonly #now: () => number
  #failures = 0
  #since: number | undefined

  /** @param now - returns the time in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /**
   * The pause after one more failure, in milliseconds. Up to half of it is random, so that peers do not all
   * return together.
   */
  next(): number {
    const now = this.#now()
    this.#since ??= now
    const longest = Math.min(LONGEST_MS, Math.max(SOON_MS, (now - this.#since) * SHARE))
    const pauseMs = Math.min(FIRST_MS * 2 ** this.#failures++, longest)
    return Math.round(pauseMs * (0.5 + Math.random() / 2))
  }

  /** Call it after a success. */
  reset(): void {
    this.#failures = 0
    this.#since = undefined
  }
}
