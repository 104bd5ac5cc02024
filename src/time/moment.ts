/** A moment in the life of this process, which is shown as a time of the wall clock although that clock may be set meanwhile. */

import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'

/** Less than this, in milliseconds, is no change of the wall clock: clocks drift, and do not tick together. */
const DRIFT_MS = 2_000

/** The moment at which it is made. */
export class Moment {
  readonly #clock: Clock
  readonly #at: number
  #wall: number

  constructor(clock: Clock = systemClock) {
    this.#clock = clock
    this.#at = clock.now()
    this.#wall = clock.wall()
  }

  /** How long ago it was, in milliseconds. */
  get ageMs(): number {
    return this.#clock.now() - this.#at
  }

  /** Milliseconds since the epoch, by the wall clock as it is set now. The same number each time unless the clock was set. */
  get wall(): number {
    const wall = Math.round(this.#clock.wall() - this.ageMs)
    if (Math.abs(wall - this.#wall) > DRIFT_MS) this.#wall = wall
    return this.#wall
  }
}
