/** `throughnat-relay` as a program: its one command. */

import { runProgram } from '../../src/cli/program.ts'
import type { ProgramDescription } from '../../src/cli/command-line.ts'
import { version } from '../../src/node/version.ts'
import { relayCommand } from './run-relay.ts'

/** Options of `throughnat`: their variables may be in the environment too. A test holds them against that program. */
export const PEER_OPTIONS = [
  'relay',
  'relay-file',
  'relay-token-file',
  'reservations',
  'port',
  'expose',
  'allow',
  'allow-file',
  'proxy-protocol',
  'names',
  'forward',
  'expires',
  'uses',
  'watch',
  'local',
  'stdio',
  'until-direct',
  'count',
  'interval',
  'timeout',
] as const

/** What the program is. */
export const relayProgram: ProgramDescription = {
  name: 'throughnat-relay',
  version,
  description: relayCommand.summary,
  commands: relayCommand,
}

/** Runs the program; resolves with its exit code. */
export async function run(): Promise<number> {
  return runProgram({ ...relayProgram, foreignOptions: [...PEER_OPTIONS] })
}
