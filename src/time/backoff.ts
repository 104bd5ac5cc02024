/** Growing pauses between tries of one relay, or of one remote peer. */

/** The first pause, in milliseconds; it doubles with each failure. A relay that restarts is back within seconds. */
const FIRST_MS = 500

/** The longest pause while the relay has not been away for long, in milliseconds. */
const SOON_MS = 2_000

/** The longest pause of all, in milliseconds: a thousand peers of a relay that is down cost its host some 50 SYNs a second. */
const LONGEST_MS = 30_000

/** A relay is found again after at most this share of the time that it was away, where the bounds above allow. */
const SHARE = 1 / 20

/** The pauses for one relay. */
export class Backoff {
  readonly #now: () => number
  #failures = 0
  #since: number | undefined

  /** @param now - tells the time in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** The pause after one more failure, in milliseconds. Half of it is chance, so that peers do not come all at once. */
  next(): number {
    const now = this.#now()
    this.#since ??= now
    const longest = Math.min(LONGEST_MS, Math.max(SOON_MS, (now - this.#since) * SHARE))
    const pauseMs = Math.min(FIRST_MS * 2 ** this.#failures++, longest)
    return Math.round(pauseMs * (0.5 + Math.random() / 2))
  }

  /** It worked. */
  reset(): void {
    this.#failures = 0
    this.#since = undefined
  }
}
