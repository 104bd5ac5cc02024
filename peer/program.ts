/** The commands of `throughnat`. */

import { runProgram } from '../src/cli/program.ts'
import { version } from '../src/version.ts'
import { forward } from './commands/forward.ts'
import { id } from './commands/id.ts'
import { listen } from './commands/listen.ts'
import { ping } from './commands/ping.ts'

/** Runs the program; resolves with its exit code. */
export async function run(): Promise<number> {
  return runProgram({
    name: 'throughnat',
    version,
    description: 'Reach programs behind NATs: through a relay at once, directly as soon as a hole is punched',
    commands: [listen, ping, forward, id],
    foreignOptions: ['announce', 'max-reservations', 'reservation-ttl'],
  })
}
