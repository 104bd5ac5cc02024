/**
 * dumbpipe, a tunnel over QUIC in Rust, beside ours: https://github.com/n0-computer/dumbpipe. It is compiled once into the user's
 * cache directory, for which it takes Rust and some minutes.
 */

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { raceSignal } from 'race-signal'
import type { Host } from '../../test/lab/net/network.ts'

const VERSION = '0.40.1'

/** As the programs of the interoperability tests. */
const ROOT = join(
  process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'),
  'throughnat',
  'bench',
  `dumbpipe-${VERSION}`,
)
const PROGRAM = join(ROOT, 'bin', 'dumbpipe')

/** Where rustup puts Cargo, which a shell may not find. */
const CARGO_BIN = join(homedir(), '.cargo', 'bin')

/** It waits 5 s for a relay, which the lab does not have. In milliseconds. */
const START_LIMIT_MS = 30_000

/** Installs it, if it is not there yet. */
export function installDumbpipe(): void {
  if (existsSync(PROGRAM)) return
  console.error(`Compiling dumbpipe ${VERSION}, some minutes`)
  const env = { ...process.env, PATH: [process.env['PATH'], CARGO_BIN].join(delimiter) }
  const args = ['install', 'dumbpipe', '--version', VERSION, '--locked', '--quiet', '--root', ROOT]
  execFileSync('cargo', args, { env, stdio: 'inherit' })
}

/**
 * Carries connections from a port of `from` to a port of `to`, both on their loopback addresses. `from` must reach `to` directly. Resolves
 * when the listening side is ready.
 */
export async function startDumbpipe(from: Host, fromPort: number, to: Host, toPort: number): Promise<void> {
  const listen = to.spawn(PROGRAM, ['listen-tcp', '--host', `127.0.0.1:${toPort}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ticket = Promise.withResolvers<string>()
  createInterface(listen.stderr!).on('line', line => {
    const [found] = /\bendpoint[a-z2-7]{20,}\b/.exec(line) ?? []
    if (found !== undefined) ticket.resolve(found)
  })
  await raceSignal(ticket.promise, AbortSignal.timeout(START_LIMIT_MS))
  from.spawn(PROGRAM, ['connect-tcp', '--addr', `127.0.0.1:${fromPort}`, await ticket.promise], {
    stdio: 'ignore',
  })
}
