/**
 * A time limit for one step of a longer operation.
 *
 * Invariant: when the step is over, its signal never fires. libp2p keeps the signal of a dial attached to the
 * connection, so a timeout that fires later, like that of `AbortSignal.timeout()`, closes the connection.
 */
import { TimeoutError } from '@libp2p/interface'

/**
 * Runs `act` with a signal that fires after `limitMs` milliseconds, or when `parent` fires, but never after
 * `act` has settled.
 *
 * @throws {TimeoutError} with the message `what`, if the time passed and `act` rejected because of it
 * @throws the reason of `parent` when that fires, and what `act` throws
 */
export async function withDeadline<T>(
  limitMs: number,
  what: string,
  parent: AbortSignal | undefined,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  parent?.throwIfAborted()
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(new TimeoutError(what)), limitMs)
  const onAbort = (): void => controller.abort(parent?.reason)
  parent?.addEventListener('abort', onAbort)
  try {
    return await act(controller.signal)
  } catch (error) {
    // libraries throw their own AbortError, which hides the reason
    throw controller.signal.aborted ? controller.signal.reason : error
  } finally {
    clearTimeout(timer)
    parent?.removeEventListener('abort', onAbort)
  }
}

/** Combines these signals into one, which fires with the first of them. Those that are not given never do. */
export function anySignalOf(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter(it => it !== undefined))
}
