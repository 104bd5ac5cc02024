/** The command `throughnat status`: shows the state of a running node. */

import { defineCommand } from '../../src/cli/command.ts'
import { dataDir } from './options/options.ts'
import type { Command, CommandRun } from '../../src/cli/command.ts'

const options = {
  dataDir: { ...dataDir, doc: 'The data directory of the running node' },
  watch: { kind: 'boolean', doc: 'Refresh it until stopped' },
  intervalMs: {
    kind: 'duration',
    default: '1s',
    min: '100ms',
    doc: 'With --watch, the time between two refreshes',
  },
} as const

/** What {@link status} does. */
export type RunStatus = CommandRun<typeof options>

export const status: Command = defineCommand({
  name: 'status',
  summary: 'Show the state of a running node: relays, peers and their paths, services, forwards',
  options,
  examples: [
    'throughnat status',
    'throughnat status --watch',
    'throughnat status --json --data-dir /var/lib/throughnat',
  ],
  run: async (...given) => (await import('./run/status.ts')).runStatus(...given),
})
