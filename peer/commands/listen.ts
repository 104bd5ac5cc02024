/**
 * The command `throughnat listen`: keeps this peer reachable and exposes local services until a signal stops
 * it.
 */

import { defineCommand } from '../../src/cli/command.ts'
import { nodeOptions } from './options/node-options.ts'
import type { Command } from '../../src/cli/command.ts'

export const listen: Command = defineCommand({
  name: 'listen',
  summary: 'Stay reachable through relays and expose local services, until stopped',
  options: nodeOptions,
  reloads: true,
  isOngoing: true,
  examples: [
    'throughnat listen --relay /ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay... --expose web=127.0.0.1:8080 --allow web=anyone',
    'throughnat listen --relay /ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay... --expose ssh=127.0.0.1:22 --allow ssh=12D3KooWPeer...',
    'throughnat listen --relay /ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay... --expose docker=unix:/var/run/docker.sock',
  ],
  run: async (config, context) => (await import('./running/run-node.ts')).runNode(config, context),
})
