/**
 * A time limit for one step of a longer life.
 *
 * The invariant: once the step is over, its signal never fires. libp2p keeps the signal of a dial attached to the
 * connection that came of it, so that a time-out which fires later, as `AbortSignal.timeout()` would, closes it.
 */
import { TimeoutError } from '@libp2p/interface'

/**
 * Runs `act` with a signal that fires after `limitMs` milliseconds, or with `parent`, and not after `act` has settled.
 *
 * @throws {TimeoutError} when the limit passed and `act` gave up because of it: its message is `what`.
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
    // Libraries throw an AbortError of their own, which hides why.
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
