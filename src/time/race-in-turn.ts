/**
 * Several ways to one goal, tried in the manner of RFC 8305 ("happy eyeballs"): one after the other with a short delay,
 * the next immediately when one fails. The first that succeeds wins, and the others are aborted.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { raceSignal } from 'race-signal'

/** RFC 8305 section 5: the recommended Connection Attempt Delay, in milliseconds. */
const ATTEMPT_DELAY_MS = 250

/** How ways are raced. */
export interface RaceInit<Result> {
  /** Ends the race. It has to be given to the attempts, too, to end those. */
  signal?: AbortSignal | undefined
  /** Called with the result of an attempt that succeeded although another one had won. */
  onLate?: (result: Result) => void
}

/**
 * Resolves with the first result.
 *
 * @param attempt - tries one way. Its signal fires when another one has won, and never after it has won itself: libp2p
 *   keeps the signal of a dial attached to the connection.
 * @throws {AggregateError} with what each attempt failed with, in the order of the failures; empty if there is no way
 * @throws the reason of `signal`
 */
export async function raceInTurn<Way, Result>(
  ways: readonly Way[],
  attempt: (way: Way, lost: AbortSignal) => Promise<Result>,
  { signal, onLate = () => {} }: RaceInit<Result> = {},
): Promise<Result> {
  signal?.throwIfAborted()
  const result = Promise.withResolvers<Result>()
  const won = new AbortController()
  const failures: unknown[] = []
  const attempts = new Map<Promise<void>, AbortController>()
  const run = async (): Promise<void> => {
    for (const way of ways) {
      if (won.signal.aborted || signal?.aborted === true) break
      const lost = new AbortController()
      const running = attempt(way, lost.signal).then(
        value => {
          if (won.signal.aborted) return onLate(value)
          attempts.delete(running)
          result.resolve(value)
          won.abort()
          for (const loser of attempts.values()) loser.abort(new Error('another way was faster'))
        },
        (error: unknown) => void failures.push(error),
      )
      attempts.set(running, lost)
      const next = pause(ATTEMPT_DELAY_MS, undefined, { signal: won.signal }).catch(() => {})
      await Promise.race([running, next])
    }
    await Promise.all(attempts.keys())
    result.reject(new AggregateError(failures))
  }
  void run()
  return raceSignal(result.promise, signal)
}
