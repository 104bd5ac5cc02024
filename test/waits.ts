/** The waits of the tests. Each has a deadline, and its error says what did not happen. */

import { once as nextEvent } from 'node:events'
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import type { EventEmitter } from 'node:events'

/** The longest wait, in milliseconds, where a test does not set its own. */
const TIMEOUT_MS = 20_000

/** The same for `once`, in milliseconds. It counts from the call, which may be early in a test; a unit test may take 60 s. */
const EVENT_TIMEOUT_MS = 45_000

/** `until` checks its condition in each turn of the event loop for so long, and then at this interval, in milliseconds. */
const CHECKS = { closelyForMs: 50, everyMs: 10 } as const

/** More than any test may take, in milliseconds. */
const LONGEST_MS = 3_600_000

// from before a test mocks them: a mocked clock must not end a wait
const { setTimeout, clearTimeout } = globalThis
const now = performance.now.bind(performance)

export interface WaitOptions {
  /** Ends the wait, with its own reason unless that is its time. */
  signal?: AbortSignal
  /** Milliseconds from the call. @default 45_000; where there is a signal, that alone ends the wait */
  timeoutMs?: number
  /** What is awaited, for the error. @default the event and the class of its emitter */
  what?: string
}

/**
 * `once` of node:events with a deadline. A test may call it long before it awaits the result, and may fail in between
 * without a second error.
 */
export function once(
  emitter: object,
  event: string,
  options: WaitOptions = {},
): ReturnType<typeof nextEvent> {
  const {
    signal,
    timeoutMs = signal === undefined ? EVENT_TIMEOUT_MS : LONGEST_MS,
    what = `the event ${event} of ${emitter.constructor.name}`,
  } = options
  const result = bounded(what, timeoutMs, signal, async either =>
    nextEvent(emitter as EventEmitter, event, { signal: either }),
  )
  result.catch(() => {})
  return result
}

/** Resolves when a condition holds, which is checked now and after each event. */
export async function untilEvent(
  emitter: object,
  event: string,
  condition: () => boolean,
  what: string = String(condition),
  timeoutMs: number = TIMEOUT_MS,
): Promise<void> {
  await bounded(what, timeoutMs, undefined, async signal => {
    while (!condition()) await nextEvent(emitter as EventEmitter, event, { signal })
  })
}

/** Resolves when a condition holds that no event announces. */
export async function until(
  condition: () => boolean,
  what: string = String(condition),
  timeoutMs: number = TIMEOUT_MS,
): Promise<void> {
  const startedAt = now()
  while (!condition()) {
    const elapsedMs = now() - startedAt
    if (elapsedMs > timeoutMs) throw lateError(what, timeoutMs)
    if (elapsedMs < CHECKS.closelyForMs) await turn()
    else await pause(CHECKS.everyMs)
  }
}

/** Resolves with the result of a promise, unless that takes too long. */
export async function inTime<T>(
  promise: Promise<T>,
  what: string,
  timeoutMs: number = TIMEOUT_MS,
): Promise<T> {
  return bounded(what, timeoutMs, undefined, async signal => {
    const late = Promise.withResolvers<never>()
    signal.addEventListener('abort', () => late.reject(signal.reason))
    return Promise.race([promise, late.promise])
  })
}

/** Lets everything run that waits for nothing outside of this process, for so many turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await turn()
}

async function bounded<T>(
  what: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController()
  // a wait whose result nobody wants does not keep the process; node:test keeps it as long as a test runs
  const timer = setTimeout(() => late.abort(lateError(what, timeoutMs)), timeoutMs).unref()
  try {
    return await work(signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]))
  } catch (error) {
    if (late.signal.aborted) throw late.signal.reason
    if (signal?.aborted !== true) throw error
    const reason = signal.reason as Error
    throw reason.name === 'TimeoutError'
      ? new Error(`Did not happen in time: ${what}`, { cause: reason })
      : reason
  } finally {
    clearTimeout(timer)
  }
}

function lateError(what: string, timeoutMs: number): Error {
  return new Error(`Did not happen within ${timeoutMs} ms: ${what}`)
}
