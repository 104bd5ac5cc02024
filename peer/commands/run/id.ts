/** What `throughnat id` does. */

import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { loadIdentity } from '../../../src/files/identity.ts'
import type { RunId } from '../id.ts'

/** Prints the peer id. Creates the identity if there is none. */
export const runId: RunId = async ({ dataDir }, { output }) => {
  const peerId = peerIdFromPrivateKey(await loadIdentity(dataDir)).toString()
  output.event('id', { peerId, dataDir }, peerId)
}
