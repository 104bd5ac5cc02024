/** The command `throughnat id`: prints this machine's peer id. Creates the identity if there is none. */

import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { defineCommand } from '../../src/cli/command.ts'
import { loadIdentity } from '../../src/files/identity.ts'
import { dataDir } from './options/options.ts'
import type { Command } from '../../src/cli/command.ts'

export const id: Command = defineCommand({
  name: 'id',
  summary: "Print this machine's peer id, for the allow rules and targets of other peers",
  options: { dataDir },
  examples: ['throughnat id', 'throughnat id --data-dir /var/lib/throughnat'],
  run: async ({ dataDir }, { output }) => {
    const peerId = peerIdFromPrivateKey(await loadIdentity(dataDir)).toString()
    output.event('id', { peerId, dataDir }, peerId)
  },
})
