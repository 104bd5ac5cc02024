/** The token of a private relay is replaced while its peers run. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { directory, Program, RELAY, startListener } from './program.ts'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 60_000 }

/** Starts a private relay that lets in peers with the token in this file. */
const [OLD, NEW] = ['4f0a6d1c93be7285', 'b7e2051f8c6d39a4']

async function startRelay(t: TestContext, dataDir: string, listen: string, tokenFile: string) {
  const args = ['--json', '--listen', listen, '--data-dir', dataDir, '--profile', 'private']
  const relay = new Program(t, RELAY, [...args, '--token-file', tokenFile])
  const { addrs } = await relay.line('relay:ready')
  return { relay, addr: (addrs as string[])[0]! }
}

/** The first line of this event that the program prints from now on. */
async function next(program: Program, event: string): Promise<unknown> {
  const before = program.lines.length
  return program.lineWhere(line => line.event === event && program.lines.indexOf(line) >= before)
}

it(
  'a listener shows a new token after SIGHUP, and keeps the old one while its file is damaged',
  LIMIT,
  async t => {
    const dataDir = await directory(t)
    const tokenFile = join(dataDir, 'token')
    await writeFile(tokenFile, `${OLD}\n`)
    const old = await startRelay(t, dataDir, '/ip4/127.0.0.1/tcp/0', tokenFile)
    const listenerFile = join(dataDir, 'listener.token')
    await writeFile(listenerFile, `${OLD}\n`)
    const { listener } = await startListener(t, old.addr, ['--relay-token-file', listenerFile])

    const refused = next(listener, 'reservation:failed')
    old.relay.child.kill('SIGTERM')
    await old.relay.ended()
    await writeFile(tokenFile, `${NEW}\n`)
    await startRelay(t, dataDir, old.addr.replace(/\/p2p\/.*/, ''), tokenFile)
    await refused
    await listener.lineWhere(line => /does not accept the token/.test(String(line['reason'])))

    await writeFile(listenerFile, '# nothing\n')
    const told = once(listener.child.stderr, 'data', { signal: AbortSignal.timeout(10_000) })
    listener.child.kill('SIGHUP')
    await told
    assert.match(listener.stderr, /holds no token/)

    await writeFile(listenerFile, `${NEW}\n`)
    const [reloaded, granted] = [next(listener, 'config:reloaded'), next(listener, 'reservation:granted')]
    listener.child.kill('SIGHUP')
    await Promise.all([reloaded, granted])
  },
)
