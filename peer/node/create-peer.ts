/** Starts a peer. */

import { InvalidConfigError } from '../../src/errors.ts'
import { assertRuntime } from '../../src/node/runtime.ts'
import { DEFAULT_RESERVATIONS, PeerNode } from './peer-node.ts'
import { RelayList } from '../relays/relay-list.ts'
import { openStorage } from './storage.ts'
import { readMultiaddr } from '../connections/target.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { Peer, PeerInit } from './peer.ts'

/**
 * Starts a peer. Resolves when it is started; it can be reached once {@link Peer.reachable} resolves. A relay that is
 * down is no error.
 *
 * @throws {InvalidTargetError} if a relay's address cannot be understood
 * @throws {InvalidConfigError} if `relayFile` cannot be read, or `reservations` is no number of relays
 * @throws {DataDirError} if `dataDir` cannot be used, or another process uses it
 * @throws {IdentityError} if the identity in `dataDir` cannot be used
 * @throws {UnsupportedRuntimeError} if this Node.js is too old
 * @throws {ListenError} if the port is taken
 */
export async function createPeer(init: PeerInit = {}, options: AbortOptions = {}): Promise<Peer> {
  assertRuntime()
  const given = (init.relays ?? []).map(it => (typeof it === 'string' ? readMultiaddr(it) : it))
  const relays = new RelayList(given, init.relayFile)
  assertCount(init.reservations)
  options.signal?.throwIfAborted()
  const storage = init.dataDir === undefined ? undefined : await openStorage(init.dataDir)
  const peer = new PeerNode(relays, init.relayToken, storage)
  try {
    await peer.start(init)
    options.signal?.throwIfAborted()
    return peer
  } catch (error) {
    await peer.stop()
    throw error
  }
}

function assertCount(reservations: number = DEFAULT_RESERVATIONS): void {
  if (Number.isInteger(reservations) && reservations > 0) return
  const what = `${reservations} is not a number of relays; give 1 or more, and reserve: false for a peer that only dials`
  throw new InvalidConfigError([{ where: 'reservations', what }])
}
