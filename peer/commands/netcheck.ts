/** The command `throughnat netcheck`: tests how the network treats connections, and gives advice. */

import { defineCommand } from '../../src/cli/command.ts'
import { relays } from './options/options.ts'
import type { Command, CommandRun } from '../../src/cli/command.ts'

const options = {
  relays,
  timeoutMs: {
    kind: 'duration',
    default: '15s',
    min: '1s',
    max: '1m',
    doc: 'Checks that have not finished by then are reported as unknown',
  },
} as const

/** What {@link netcheck} does. */
export type RunNetcheck = CommandRun<typeof options>

export const netcheck: Command = defineCommand({
  name: 'netcheck',
  summary: 'Test how the network treats connections, and get advice',
  options,
  examples: [
    'throughnat netcheck --relay /ip4/192.0.2.1/tcp/4001/p2p/12D3KooWRelay... --relay /ip4/198.51.100.1/tcp/4001/p2p/12D3KooWOther...',
  ],
  run: async (...given) => (await import('./run/netcheck.ts')).runNetcheckCommand(...given),
})
