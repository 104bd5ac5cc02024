/** A program that runs until it is stopped; it prints its process id, and a line when it has outlived a SIGHUP. */

import { setTimeout as pause } from 'node:timers/promises'
import { runProgram } from '../../../../../src/cli/program.ts'

process.exitCode = await runProgram({
  name: 'hanging',
  version: '1.2.3',
  description: 'Hangs.',
  commands: {
    name: 'hanging',
    summary: 'Hang',
    options: {},
    examples: ['hanging'],
    run: async (_, { output, signal }) => {
      process.on('SIGHUP', () => {
        if (!signal.aborted) output.text('still here')
      })
      output.text(String(process.pid))
      await pause(15_000, undefined, { signal }).catch(() => {})
    },
  },
  argv: [],
})
