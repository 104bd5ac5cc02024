/** Peers and addresses for the tables of the relay. */

import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { limitsOf } from '../../../relay/limits/limits.ts'
import type { PeerId } from '@libp2p/interface'
import type { LimitOverrides, Limits } from '../../../relay/limits/limits.ts'

/** Peers that there are only the names of. */
export const peers: readonly PeerId[] = await Promise.all(
  Array.from({ length: 12 }, async () => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))),
)

/** One of them. */
export function peer(n: number): PeerId {
  const found = peers[n]
  if (found === undefined) throw new RangeError(`there are ${peers.length} peers`)
  return found
}

/** No limits but these. */
export function only(limits: LimitOverrides): Limits {
  return limitsOf('custom', limits)
}
