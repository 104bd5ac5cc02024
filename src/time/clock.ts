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

/** The machine's own. */
export const systemClock: Clock = {
  now: monotonicMs,
  wall: () => Date.now(),
  sleep: async (ms, signal) => {
    await pause(Math.max(ms, 0), undefined, { signal, ref: false }).catch(() => {})
  },
}

/**
 * Milliseconds on a clock that counts while the machine sleeps. `performance.now` does not do so on Linux (CLOCK_MONOTONIC), where the uptime does (CLOCK_BOOTTIME);
 * elsewhere it does, and the uptime goes by the wall clock on macOS.
 */
function monotonicMs(): number {
  return process.platform === 'linux' ? uptime() * 1000 : performance.now()
}

/** No clock that is right shows an earlier time, in milliseconds since the epoch: this version was written later. */
const EARLIEST_MS = Date.UTC(2026, 0, 1)

/** Tells whether a wall clock may be right. One that has lost its battery starts in 1970, or when its firmware was made. */
export function isPlausibleTime(wallMs: number): boolean {
  return wallMs >= EARLIEST_MS
}
