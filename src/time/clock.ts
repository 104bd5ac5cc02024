/**
 * The clocks of this machine. Durations go by the monotonic one, which nobody can set. The wall clock is for times that leave the process: it may be hours wrong, and
 * may jump while the process runs.
 */

import { uptime } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'

/** What tells the time. Tests hand in their own. */
export interface Clock {
  /** Milliseconds since some moment, on a clock that never jumps. Time in which the machine sleeps counts. */
  now(): number
  /** Milliseconds since the epoch, as the machine's clock is set. */
  wall(): number
  /** Resolves after this time, or when `signal` fires. Does not keep the process alive. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

/** Less than this, in milliseconds, is no sleep: the two clocks do not tick together. */
const TICK_MS = 1_000

/**
 * Adds to a clock the time that it has missed. `performance.now` stands still while Linux sleeps (CLOCK_MONOTONIC), and the uptime does not (CLOCK_BOOTTIME). The result
 * never goes back, although an uptime may: in a container it is what the container's /proc says.
 */
export function countSleep(awakeMs: () => number, uptimeMs: () => number): () => number {
  let behindMs = uptimeMs() - awakeMs()
  let sleptMs = 0
  return () => {
    const now = awakeMs()
    const missedMs = uptimeMs() - now - behindMs
    if (missedMs > TICK_MS) sleptMs += missedMs
    if (Math.abs(missedMs) > TICK_MS) behindMs += missedMs
    return now + sleptMs
  }
}

/** On macOS and Windows this counts sleep by itself, and the uptime of macOS goes by the wall clock. */
const awake = (): number => performance.now()

/** The machine's own. */
export const systemClock: Clock = {
  now: process.platform === 'linux' ? countSleep(awake, () => uptime() * 1000) : awake,
  wall: () => Date.now(),
  sleep: async (ms, signal) => {
    await pause(Math.max(ms, 0), undefined, { signal, ref: false }).catch(() => {})
  },
}

/** No clock that is right shows an earlier time, in milliseconds since the epoch: Node.js 24 came out later. */
const EARLIEST_MS = Date.UTC(2025, 0, 1)

/** Tells whether a wall clock may be right. One that has lost its battery starts in 1970, or when its firmware was made. */
export function isPlausibleTime(wallMs: number): boolean {
  return wallMs >= EARLIEST_MS
}
