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

/** Options of `throughnat-relay`: their variables may be in the environment too. A test holds them against that program. */
export const RELAY_OPTIONS = [
  'listen',
  'announce',
  'status',
  'tls-cert',
  'tls-key',
  'reservation-ttl',
  'drain',
  'profile',
  'max-connections',
  'max-connections-per-network',
  'max-reservations',
  'max-reservations-per-ipv4',
  'max-reservations-per-ipv6-site',
  'max-circuits',
  'max-circuits-per-peer',
  'max-circuits-per-pair',
  'circuit-data',
  'circuit-duration',
  'circuit-rate',
  'peer-rate',
  'total-rate',
  'new-connections-per-ip',
  'new-reservations-per-ip',
  'new-circuits-per-ip',
  'allow-reserve',
  'deny-reserve',
  'allow-connect',
  'deny-connect',
  'allow-target',
  'deny-target',
  'token-file',
  'token-for',
  'admission-url',
] as const

/** What the program is. */
export const peerProgram: ProgramDescription = {
  name: 'throughnat',
  version,
  description: 'Reach programs behind NATs: through a relay at once, directly as soon as a hole is punched',
  commands: peerCommands,
}

/** Runs the program; resolves with its exit code. */
export async function run(): Promise<number> {
  return runProgram({ ...peerProgram, hide: hideTickets, foreignOptions: [...RELAY_OPTIONS] })
}
