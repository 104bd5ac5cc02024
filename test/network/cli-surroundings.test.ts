/** What the programs make of bad input, of missing permissions, and of running as anybody. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmod, chown, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { directory, Program, startListener, startRelay, THROUGHNAT } from './program.ts'
import { once } from '../waits.ts'
import type { AddressInfo } from 'node:net'

/** The user of Debian and others that owns nothing. */
const NOBODY = 65_534

const isRoot = process.getuid?.() === 0
/** Whether that user can read this checkout at all. */
const canRead =
  isRoot && spawnSync(process.execPath, [THROUGHNAT, '--version'], { uid: NOBODY, gid: NOBODY }).status === 0
const asNobody = canRead ? {} : { skip: 'needs root, and a checkout that others can read' }

test('all mistakes of a configuration are told at once, with lines and the nearest keys', async t => {
  const config = join(await directory(t), 'peer.yaml')
  await writeFile(config, 'relya: /ip4/192.0.2.1\nexpose: [web=nowhere]\nreservations: many\n')
  const up = new Program(t, THROUGHNAT, ['up', '--config', config], { json: false })
  assert.equal(await up.ended(), 3)
  assert.match(up.stderr, /^error: 3 problems$/m)
  assert.match(up.stderr, /peer\.yaml:1: unknown option "relya"; the nearest known is "relay"/)
  assert.match(up.stderr, /peer\.yaml:2: expose "web=nowhere" is not a named service: expected HOST:PORT/)
  assert.match(up.stderr, /peer\.yaml:3: reservations "many" is not/)
})

test('an address that is none is told as that, and what would be one', async t => {
  const forward = new Program(t, THROUGHNAT, ['forward', '/ip4/192.0.2.1/tcp/nonsense', 'web', '--stdio'], {
    json: false,
  })
  assert.equal(await forward.ended(), 2)
  assert.match(
    forward.stderr,
    /^error: Cannot use "\/ip4\/192\.0\.2\.1\/tcp\/nonsense": .*A target is a peer id, or an address like/,
  )
})

test('a caller of a service that is down learns it at once', async t => {
  const { addr: relay } = await startRelay(t, await directory(t))
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port: nobodyThere } = closed.address() as AddressInfo
  closed.close()
  const { addr } = await startListener(t, relay, [
    '--expose',
    `web=127.0.0.1:${nobodyThere}`,
    '--allow',
    'web=anyone',
  ])
  const forward = new Program(t, THROUGHNAT, ['forward', addr, 'web', '--json', '--local', '127.0.0.1:0'])
  const { port } = await forward.line('forward:listening')
  const startedAt = performance.now()
  const caller = connect({ host: '127.0.0.1', port: Number(port) })
  const [error] = (await once(caller, 'error')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'ECONNRESET')
  // the shortest time-out on the way is one of 10 s
  assert.ok(performance.now() - startedAt < 5_000)
  assert.match(
    String((await forward.line('forward:failed')).error),
    /could not connect to it. Check that it runs there/,
  )
})

test('a data directory without permission is told with what to check', asNobody, async t => {
  const dataDir = await directory(t)
  await chmod(dataDir, 0o700)
  const args = ['id', '--data-dir', dataDir]
  const program = new Program(t, THROUGHNAT, args, { json: false, uid: NOBODY })
  assert.equal(await program.ended(), 3)
  assert.match(
    program.stderr,
    /^error: Cannot use .* as identity: this user may not do that \(EACCES\). Check the directory's owner/,
  )
  const { addr: relay } = await startRelay(t, await directory(t))
  const listen = new Program(t, THROUGHNAT, ['listen', '--relay', relay, '--data-dir', dataDir], {
    json: false,
    uid: NOBODY,
  })
  assert.equal(await listen.ended(), 3)
  assert.match(
    listen.stderr,
    /^error: Cannot use the data directory .*EACCES.* Check that this user may write there/,
  )
})

test('a user without any rights exposes and reaches a service', asNobody, async t => {
  const { addr: relay } = await startRelay(t, await directory(t))
  const dataDir = await directory(t)
  await chown(dataDir, NOBODY, NOBODY)
  const server = createServer(socket => socket.on('error', () => {}).end('hello')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const place = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const reachable = ['listen', '--json', '--relay', relay, '--data-dir', dataDir]
  const rules = ['--expose', `web=${place}`, '--allow', 'web=anyone']
  const listener = new Program(t, THROUGHNAT, [...reachable, ...rules], { uid: NOBODY })
  const { addrs } = await listener.line('peer:ready')
  const forward = new Program(
    t,
    THROUGHNAT,
    ['forward', String((addrs as string[])[0]), 'web', '--json', '--local', '127.0.0.1:0'],
    { uid: NOBODY },
  )
  const { port } = await forward.line('forward:listening')
  const [data] = (await once(connect({ host: '127.0.0.1', port: Number(port) }), 'data')) as [Buffer]
  assert.equal(data.toString(), 'hello')
})
