/** A clock that a test moves by hand. */

import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../src/time/clock.ts'

interface Sleeper {
  until: number
  wake: () => void
}

/** Starts with `wallMs` since the epoch on its wall clock. Sleeps end when enough time has passed by the hand of the test. */
export class HandClock implements Clock {
  #nowMs = 0
  #epochMs: number
  readonly #sleepers = new Set<Sleeper>()

  constructor(wallMs: number) {
    this.#epochMs = wallMs
  }

  now(): number {
    return this.#nowMs
  }

  wall(): number {
    return this.#epochMs + this.#nowMs
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const sleeper = { until: this.#nowMs + ms, wake: resolve }
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (signal.aborted || ms <= 0) resolve()
    this.#sleepers.add(sleeper)
    await promise
    this.#sleepers.delete(sleeper)
  }

  /** Milliseconds until the next sleep ends; undefined if nothing sleeps. */
  get nextMs(): number | undefined {
    if (this.#sleepers.size === 0) return undefined
    return Math.min(...[...this.#sleepers].map(({ until }) => until - this.#nowMs))
  }

  /** Time passes on both clocks. */
  async pass(ms: number): Promise<void> {
    this.#nowMs += ms
    for (const { until, wake } of this.#sleepers) if (until <= this.#nowMs) wake()
    await setImmediate()
  }

  /** Somebody sets the wall clock. */
  setWallBy(ms: number): void {
    this.#epochMs += ms
  }
}
