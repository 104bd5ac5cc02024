/** What commands that dial have in common. */

import { UnreachableError } from '../../src/errors.ts'
import type { AbortOptions } from '@libp2p/interface'

/** The option of {@link createPeer} for a data directory that may be absent. */
export function withDataDir(dataDir: string | undefined): { dataDir?: string } {
  return dataDir === undefined ? {} : { dataDir }
}

/**
 * Dials with a time limit.
 *
 * @throws {UnreachableError} when the time is over
 */
export async function withTimeout<T>(
  timeoutMs: number,
  signal: AbortSignal,
  target: string,
  dial: (options: AbortOptions) => Promise<T>,
): Promise<T> {
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    return await dial({ signal: AbortSignal.any([signal, timeout]) })
  } catch (cause) {
    if (!timeout.aborted || signal.aborted) throw cause
    throw new UnreachableError(
      `Cannot reach ${target}: no answer within ${timeoutMs / 1000} s. Check that the relay is up, or give it more time with --timeout.`,
      { cause },
    )
  }
}
