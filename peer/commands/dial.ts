/** What commands that dial have in common. */

import { UnreachableError } from '../../src/errors.ts'
import { readTokens } from '../../src/relay-token.ts'
import type { AbortOptions } from '@libp2p/interface'

/** The option of {@link createPeer} for a data directory that may be absent. */
export function withDataDir(dataDir: string | undefined): { dataDir?: string } {
  return dataDir === undefined ? {} : { dataDir }
}

/** The option of {@link createPeer} for a file of relays that may be absent. */
export function withRelayFile(relayFile: string | undefined): { relayFile?: string } {
  return relayFile === undefined ? {} : { relayFile }
}

/**
 * The option of {@link createPeer} for a file with a token that may be absent.
 *
 * @throws {InvalidConfigError} if the file cannot be used
 */
export async function withRelayToken(path: string | undefined): Promise<{ relayToken?: string }> {
  if (path === undefined) return {}
  const [relayToken] = await readTokens(path, 'relay-token-file')
  return relayToken === undefined ? {} : { relayToken }
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
