/** What commands that dial have in common. */

import { DataDirError, UnreachableError } from '../../../src/errors.ts'
import { loadIdentity } from '../../../src/files/identity.ts'
import { readTokens } from '../../../src/protocols/relay-auth.ts'
import { createPeer } from '../../node/create-peer.ts'
import { dialerDataDir, names, relayFile, relays, relayTokenFile } from '../options/options.ts'
import type { AbortOptions, PrivateKey } from '@libp2p/interface'
import type { Resolved } from '../../../src/config/options.ts'
import type { Peer } from '../../node/peer.ts'

/** A peer that only dials. */
export interface DialingPeer {
  peer: Peer
  /** The identity that it acts for, where another process is the peer of that identity. */
  principal?: PrivateKey
}

/** What a command that dials is told. */
export const dialingOptions = { relays, relayFile, relayTokenFile, dataDir: dialerDataDir, names } as const

/**
 * Starts a peer that only dials. If another process runs with the data directory, this one gets an id of its own and acts for the peer there: ssh may be
 * called as often as one likes.
 *
 * @throws what {@link createPeer} throws
 * @throws {InvalidConfigError} if the file with the token cannot be used
 */
export async function startDialingPeer(
  { relays, relayFile, relayTokenFile, dataDir }: Omit<Resolved<typeof dialingOptions>, 'names'>,
  signal: AbortSignal,
): Promise<DialingPeer> {
  const token = await withRelayToken(relayTokenFile)
  const init = { relays, ...withRelayFile(relayFile), reserve: false, ...token }
  if (dataDir === undefined) return { peer: await createPeer(init, { signal }) }
  try {
    return { peer: await createPeer({ ...init, dataDir }, { signal }) }
  } catch (error) {
    if (!(error instanceof DataDirError) || error.reason !== 'in-use') throw error
    return { principal: await loadIdentity(dataDir), peer: await createPeer(init, { signal }) }
  }
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
