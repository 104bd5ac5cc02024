/** Shared parts of the commands that dial. */

import { DataDirError, UnreachableError } from '../../../src/errors.ts'
import { loadIdentity } from '../../../src/files/identity.ts'
import { quietLogger } from '../../../src/patches/libp2p/quiet-logger.ts'
import { readTokens } from '../../../src/protocols/relay-auth.ts'
import { createPeer } from '../../node/create-peer.ts'
import type { AbortOptions, ComponentLogger, PrivateKey } from '@libp2p/interface'
import type { Resolved } from '../../../src/config/options.ts'
import type { Peer } from '../../node/peer.ts'
import type { dialingOptions } from '../options/options.ts'

/** A peer that only dials. */
export interface DialingPeer {
  peer: Peer
  /** The identity that the peer acts for, if another process runs with it. */
  principal?: PrivateKey
}

/**
 * Starts a peer that only dials. If another process runs with the data directory, this peer gets a new id and
 * acts for the peer there. So any number of ssh connections can run side by side.
 *
 * @param warn - takes a warning of a token that other users can read
 * @throws what {@link createPeer} throws
 * @throws {InvalidConfigError} if the file with the token cannot be read or has no token
 */
export async function startDialingPeer(
  { relays, relayFile, relayTokenFile, dataDir }: Omit<Resolved<typeof dialingOptions>, 'names'>,
  signal: AbortSignal,
  warn: (text: string) => void,
): Promise<DialingPeer> {
  const token = await withRelayToken(relayTokenFile, warn)
  const init = { relays, ...withRelayFile(relayFile), reserve: false, ...token, ...withLogger() }
  if (dataDir === undefined) return { peer: await createPeer(init, { signal }) }
  try {
    return { peer: await createPeer({ ...init, dataDir }, { signal }) }
  } catch (error) {
    if (!(error instanceof DataDirError) || error.reason !== 'in-use') throw error
    return { principal: await loadIdentity(dataDir), peer: await createPeer(init, { signal }) }
  }
}

/** The logger as an option of {@link createPeer}: a silent one unless the variable `DEBUG` is set. */
export function withLogger(): { logger?: ComponentLogger } {
  const logger = quietLogger()
  return logger === undefined ? {} : { logger }
}

/** The relay file as an option of {@link createPeer}. Empty without a file. */
export function withRelayFile(relayFile: string | undefined): { relayFile?: string } {
  return relayFile === undefined ? {} : { relayFile }
}

/**
 * The token as an option of {@link createPeer}. Empty without a file.
 *
 * @param warn - takes a warning of a file that other users can read
 * @throws {InvalidConfigError} if the file cannot be read or has no token
 */
export async function withRelayToken(
  path: string | undefined,
  warn: (text: string) => void,
): Promise<{ relayToken?: string }> {
  if (path === undefined) return {}
  const [relayToken] = await readTokens(path, 'relay-token-file', { warn })
  return relayToken === undefined ? {} : { relayToken }
}

/**
 * Dials with a time limit in milliseconds.
 *
 * @throws {UnreachableError} when the time is over
 * @throws what `dial` throws
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
      `Cannot reach ${target}: no answer within ${timeoutMs / 1000} s. Check that the relay runs, or increase --timeout.`,
      { cause },
    )
  }
}
