/** The command `throughnat id`: prints this machine's peer id. Creates the identity if there is none. */

import { defineCommand } from '../../src/cli/command.ts'
import { dataDir } from './options/options.ts'
import type { Command, CommandRun } from '../../src/cli/command.ts'

const options = { dataDir } as const

/** What {@link id} does. */
export type RunId = CommandRun<typeof options>

export const id: Command = defineCommand({
  name: 'id',
  summary: "Print this machine's peer id, for the allow rules and targets of other peers",
  options,
  examples: ['throughnat id', 'throughnat id --data-dir /var/lib/throughnat'],
  run: async (...given) => (await import('./run/id.ts')).runId(...given),
})
