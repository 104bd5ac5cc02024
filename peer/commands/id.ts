/** `throughnat id`: print this machine's peer id, creating the identity if there is none. */

import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { defineCommand } from '../../src/cli/command.ts'
import { loadIdentity } from '../../src/files/identity.ts'
import { dataDir } from './options/options.ts'
import type { Command } from '../../src/cli/command.ts'

export const id: Command = defineCommand({
  name: 'id',
  summary: "Print this machine's peer id, which others allow or look for",
  options: { dataDir },
  examples: ['throughnat id', 'throughnat id --data-dir /var/lib/throughnat'],
  run: async ({ dataDir }, { output }) => {
    const peerId = peerIdFromPrivateKey(await loadIdentity(dataDir)).toString()
    output.event('id', { peerId, dataDir }, peerId)
  },
})
