/** The program `throughnat`, and its commands. */

import { runProgram } from '../../src/cli/program.ts'
import { version } from '../../src/node/version.ts'
import { completionOf } from './completion.ts'
import { forward } from './forward.ts'
import { id } from './id.ts'
import { listen } from './listen.ts'
import { netcheck } from './netcheck.ts'
import { ping } from './ping.ts'
import { status } from './status.ts'
import { revoke, ticket, tickets } from './tickets.ts'
import { up } from './up.ts'
import { hideTickets } from '../tickets/prefix.ts'
import type { Command } from '../../src/cli/command.ts'
import type { ProgramDescription } from '../../src/cli/command-line/command-line.ts'

const commands: readonly Command[] = [
  listen,
  up,
  forward,
  ping,
  ticket,
  tickets,
  revoke,
  status,
  netcheck,
  id,
]

/** All commands. */
export const peerCommands: readonly Command[] = [...commands, completionOf('throughnat', commands)]

/** Name, version and commands of the program. */
export const peerProgram: ProgramDescription = {
  name: 'throughnat',
  version,
  description: 'Reach programs behind NATs: first through a relay, then directly after hole punching',
  commands: peerCommands,
}

/** Runs the program. Resolves with its exit code. */
export async function run(): Promise<number> {
  return runProgram({ ...peerProgram, hide: hideTickets })
}
