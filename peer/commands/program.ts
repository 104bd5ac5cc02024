/** The commands of `throughnat`. */

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
import { hideTickets } from '../tickets/ticket.ts'
import type { Command } from '../../src/cli/command.ts'
import type { ProgramDescription } from '../../src/cli/command-line.ts'

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

/** The commands. */
export const peerCommands: readonly Command[] = [...commands, completionOf('throughnat', commands)]

/** What the program is. */
export const peerProgram: ProgramDescription = {
  name: 'throughnat',
  version,
  description: 'Reach programs behind NATs: through a relay at once, directly as soon as a hole is punched',
  commands: peerCommands,
}

/** Runs the program; resolves with its exit code. */
export async function run(): Promise<number> {
  return runProgram({ ...peerProgram, hide: hideTickets })
}
