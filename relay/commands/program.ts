/** The program `throughnat-relay`. It has one command. */

import { runProgram } from '../../src/cli/program.ts'
import type { ProgramDescription } from '../../src/cli/command-line/command-line.ts'
import { version } from '../../src/node/version.ts'
import { relayCommand } from './relay.ts'

/** Name, version and command of the program. */
export const relayProgram: ProgramDescription = {
  name: 'throughnat-relay',
  version,
  description: relayCommand.summary,
  commands: relayCommand,
}

/** Runs the program. Resolves with its exit code. */
export async function run(): Promise<number> {
  return runProgram(relayProgram)
}
