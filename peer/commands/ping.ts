/**
 * The command `throughnat ping`: measures round trips to a remote peer, and shows whether the path is relayed
 * or direct.
 */

import { defineCommand } from '../../src/cli/command.ts'
import { target } from './options/target.ts'
import { dialingOptions } from './options/options.ts'
import type { Command, CommandRun } from '../../src/cli/command.ts'

/** The default number of pings, as `ipfs ping` and `tailscale ping` have it. */
export const DEFAULT_COUNT = 10

const operands = { target } as const

const options = {
  ...dialingOptions,
  untilDirect: {
    kind: 'boolean',
    doc: 'Stop when the path is direct. If it stays relayed, print the reason and exit with code 5',
  },
  count: {
    kind: 'integer',
    optional: true,
    min: 1,
    doc: `The number of pings (default: ${DEFAULT_COUNT}; with --until-direct, no limit)`,
  },
  intervalMs: { kind: 'duration', default: '1s', min: '10ms', doc: 'The pause between two pings' },
  timeoutMs: {
    kind: 'duration',
    default: '30s',
    min: '100ms',
    doc: 'Time to connect, and for each answer',
  },
} as const

/** What {@link ping} does. */
export type RunPing = CommandRun<typeof options, typeof operands>

export const ping: Command = defineCommand({
  name: 'ping',
  summary: 'Ping a remote peer, and show whether the path is relayed or direct',
  arguments: operands,
  options,
  examples: [
    'throughnat ping /ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay.../p2p-circuit/p2p/12D3KooWPeer... --until-direct',
    'throughnat ping 12D3KooWPeer... --relay /ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay... --count 3',
  ],
  run: async (...given) => (await import('./run/ping.ts')).runPing(...given),
})
