/** `throughnat status`, of nodes that run as processes of their own. */

import assert from 'node:assert/strict'
import { mkdir, stat } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { directory, Program, startListener, startRelay, THROUGHNAT } from './program.ts'
import { once } from '../waits.ts'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { StatusSnapshot } from '../../peer/status/node-status.ts'

async function echo(t: TestContext): Promise<string> {
  const server = createServer(socket => socket.on('error', () => {}).pipe(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function statusOf(t: TestContext, dataDir: string): Promise<StatusSnapshot> {
  const program = new Program(t, THROUGHNAT, ['status', '--json', '--data-dir', dataDir])
  const line = await program.line('status')
  assert.equal(await program.ended(), 0)
  return line as unknown as StatusSnapshot
}

test('a node tells its relays, its peers with their paths, and what its services and forwards carry', async t => {
  const { addr: relay } = await startRelay(t, await directory(t))
  const [home, away] = [await directory(t), await directory(t)]
  const place = await echo(t)
  const { listener, addr } = await startListener(t, relay, [
    '--data-dir',
    home,
    '--expose',
    `echo=${place}`,
    '--allow',
    'echo=anyone',
  ])
  const forwards = ['--forward', `127.0.0.1:0=${addr}/echo`]
  const dialer = new Program(t, THROUGHNAT, ['up', '--json', '--data-dir', away, ...forwards])
  const { port } = await dialer.line('forward:listening')
  await dialer.line('path:changed')
  const socket = connect({ host: '127.0.0.1', port: Number(port) })
  socket.on('error', () => {}).write('hello')
  await once(socket, 'data')

  const [ofHome, ofAway] = await Promise.all([statusOf(t, home), statusOf(t, away)])
  assert.equal(ofHome.relays[0]?.state, 'held')
  assert.ok(ofHome.addrs.includes(addr))
  const { open, total, bytesIn, bytesOut, ...service } = ofHome.services[0] ?? {}
  assert.deepEqual(service, { name: 'echo', place, allowed: 'anyone' })
  assert.deepEqual({ open, total, bytesIn, bytesOut }, { open: 1, total: 1, bytesIn: 5, bytesOut: 5 })
  for (const [status, other] of [
    [ofHome, ofAway],
    [ofAway, ofHome],
  ] as const) {
    const [peer] = status.peers
    assert.equal(peer?.peerId, other.peerId)
    assert.equal(peer?.path, 'direct')
    assert.equal(typeof peer?.rttMs, 'number')
    assert.equal(peer?.punch?.outcome, 'succeeded')
    assert.equal(peer?.bytesIn, 5)
    assert.ok((peer?.streams ?? 0) >= 1)
  }
  const [forward] = ofAway.forwards
  assert.equal(forward?.local, `127.0.0.1:${Number(port)}`)
  assert.equal(forward?.service, 'echo')
  assert.equal(forward?.open, 1)

  const text = new Program(t, THROUGHNAT, ['status', '--data-dir', home], { json: false })
  assert.equal(await text.ended(), 0)
  assert.match(text.stdout, /^ {2}12D3KooW\S+ {2}direct .* 5 B in, 5 B out/m)
  // no terminal, no colours
  assert.ok(!text.stdout.includes('\u001b'))

  const watching = new Program(t, THROUGHNAT, [
    'status',
    '--watch',
    '--interval',
    '100ms',
    '--json',
    '--data-dir',
    home,
  ])
  await watching.line('status')
  const lines = watching.lines.length
  await watching.lineWhere(() => watching.lines.length > lines)
  listener.child.kill('SIGTERM')
  assert.equal(await watching.ended(), 4)
  assert.match(watching.stderr, /No node runs with the data directory/)
})

test('a forward with a data directory tells how it is, and a second one leaves that to the first', async t => {
  const { addr: relay } = await startRelay(t, await directory(t))
  const away = await directory(t)
  const exposed = ['--expose', `echo=${await echo(t)}`, '--allow', 'echo=anyone']
  const { addr } = await startListener(t, relay, exposed)
  const args = ['forward', addr, 'echo', '--json', '--local', '127.0.0.1:0', '--data-dir', away]
  const first = new Program(t, THROUGHNAT, args)
  const { port } = await first.line('forward:listening')
  const second = new Program(t, THROUGHNAT, args)
  await second.line('forward:listening')
  const socket = connect({ host: '127.0.0.1', port: Number(port) })
  socket.on('error', () => {}).write('hello')
  await once(socket, 'data')
  const { forwards, peers } = await statusOf(t, away)
  assert.deepEqual(
    forwards.map(({ local, service, open }) => ({ local, service, open })),
    [{ local: `127.0.0.1:${Number(port)}`, service: 'echo', open: 1 }],
  )
  assert.equal(peers[0]?.bytesIn, 5)
  second.child.kill('SIGTERM')
  await second.ended()
  assert.equal((await statusOf(t, away)).forwards.length, 1)
})

test('the next node replaces the socket of one that was killed', async t => {
  const { addr: relay } = await startRelay(t, await directory(t))
  const dataDir = await directory(t)
  const { listener } = await startListener(t, relay, ['--data-dir', dataDir])
  listener.child.kill('SIGKILL')
  await listener.ended()
  const asking = new Program(t, THROUGHNAT, ['status', '--data-dir', dataDir], { json: false })
  assert.equal(await asking.ended(), 4)
  await startListener(t, relay, ['--data-dir', dataDir])
  assert.equal((await stat(join(dataDir, 'control.sock'))).mode & 0o777, 0o600)
  assert.equal((await statusOf(t, dataDir)).relays.length, 1)
})

test('a data directory with too long a path costs a node its status and nothing else', async t => {
  const { addr: relay } = await startRelay(t, await directory(t))
  const dataDir = join(await directory(t), 'x'.repeat(100))
  await mkdir(dataDir)
  const { listener } = await startListener(t, relay, ['--data-dir', dataDir])
  assert.match(listener.stderr, /No command can ask this node.*too long for a socket/)
})
