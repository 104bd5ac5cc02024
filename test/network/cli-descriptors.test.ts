/** Programs that run out of file descriptors: they say so once, refuse what is too much, and go on. */

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { askNode } from '../../peer/control/client.ts'
import { once, until } from '../waits.ts'
import { directory, Program, RELAY, startListener, startRelay, THROUGHNAT } from './program.ts'
import type { AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** Node.js and the program itself need about 30. Node.js raises the soft limit to the hard one, so it is both. */
const FEW = ['prlimit', '--nofile=64']

const MANY_CALLERS = 120

const limited = {
  skip: spawnSync('prlimit', ['--version']).status !== 0 && 'needs prlimit of util-linux',
  timeout: 90_000,
}

/** A service that greets, and holds the connection. */
async function startService(t: TestContext): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket.on('error', () => {}))
    socket.write('hello')
    socket.on('end', () => socket.end())
  })
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** What became of a connection: it got data or stays open, or how it ended. */
type Fate = 'open' | 'greeted' | 'ended' | 'reset'

class Callers {
  readonly #port: number
  readonly #fates = new Map<Socket, Fate>()

  constructor(t: TestContext, port: unknown) {
    this.#port = Number(port)
    t.after(() => this.leave())
  }

  call(count: number): void {
    for (let n = 0; n < count; n++) {
      const socket = connect(this.#port, '127.0.0.1')
      this.#fates.set(socket, 'open')
      socket.on('data', () => this.#fates.set(socket, 'greeted'))
      socket.on('end', () => this.#fates.set(socket, 'ended'))
      socket.on('error', () => this.#fates.set(socket, 'reset'))
    }
  }

  count(fate: Fate): number {
    return [...this.#fates.values()].filter(it => it === fate).length
  }

  leave(): void {
    for (const socket of this.#fates.keys()) socket.destroy()
    this.#fates.clear()
  }
}

async function greeting(port: unknown): Promise<string> {
  const socket = connect(Number(port), '127.0.0.1')
  socket.on('error', () => {})
  socket.once('data', () => socket.end())
  return (await buffer(socket).catch(() => Buffer.alloc(0))).toString()
}

const countOf = (program: Program, event: string): number =>
  program.lines.filter(it => it.event === event).length

async function startForward(t: TestContext, target: string, via: string[]): Promise<Program> {
  const args = [
    'forward',
    target,
    'web',
    '--local',
    '127.0.0.1:0',
    '--data-dir',
    await directory(t),
    '--json',
  ]
  return new Program(t, THROUGHNAT, args, { via })
}

/** A relay, and a listener with a service at it. */
async function startPeerWithService(t: TestContext): Promise<string> {
  const { addr: relay } = await startRelay(t, await directory(t))
  const expose = ['--expose', `web=${await startService(t)}`, '--allow', 'web=anyone']
  return (await startListener(t, relay, expose)).addr
}

test('a forward without descriptors resets callers, says so once, and accepts again', limited, async t => {
  const forward = await startForward(t, await startPeerWithService(t), FEW)
  const { port } = await forward.line('forward:listening')
  const callers = new Callers(t, port)
  callers.call(MANY_CALLERS)
  const exhausted = await forward.line('descriptors:exhausted')
  assert.equal(exhausted['limit'], 64)
  await until(() => callers.count('open') === 0, 'each caller is greeted or reset')
  const refused = callers.count('reset')
  assert.equal(callers.count('ended'), 0, 'no caller takes it for an ordinary end')
  assert.ok(refused > 0 && callers.count('greeted') > 0, `${refused} are reset`)
  assert.match(
    forward.stderr,
    /as it may have \(64\)\. New connections are refused\. Raise the limit \(ulimit -n/,
  )

  callers.leave()
  const recovered = await forward.line('descriptors:recovered')
  // the listener's hole punches may be among them
  assert.ok(Number(recovered['refused']) >= refused)
  await forward.said(new RegExp(`${String(recovered['refused'])} connections were refused`))
  assert.equal(await greeting(port), 'hello')
  assert.equal(countOf(forward, 'forward:failed'), refused)
  assert.equal(countOf(forward, 'descriptors:exhausted'), 1)
})

test('a forward without descriptors accepts again when its limit is raised', limited, async t => {
  const forward = await startForward(t, await startPeerWithService(t), [])
  const { port } = await forward.line('forward:listening')
  const limit = (soft: number): unknown =>
    execFileSync('prlimit', ['--pid', String(forward.child.pid), `--nofile=${soft}:`])
  limit(64)
  const callers = new Callers(t, port)
  callers.call(MANY_CALLERS)
  await forward.line('descriptors:exhausted')
  limit(1024)
  await forward.line('descriptors:recovered')
  assert.equal(await greeting(port), 'hello')
})

test('the status of a forward without descriptors is shown', limited, async t => {
  const dataDir = await directory(t)
  const args = [
    'forward',
    await startPeerWithService(t),
    'web',
    '--local',
    '127.0.0.1:0',
    '--data-dir',
    dataDir,
  ]
  const forward = new Program(t, THROUGHNAT, [...args, '--json'], { via: FEW })
  const { port } = await forward.line('forward:listening')
  new Callers(t, port).call(MANY_CALLERS)
  await forward.line('descriptors:exhausted')
  const status = await askNode<{ forwards: unknown[] }>(dataDir, 'GET /status', undefined, {
    signal: AbortSignal.timeout(10_000),
  })
  assert.equal(status.forwards.length, 1)
})

for (const [what, listen, pick] of [
  ['peers', '/ip4/127.0.0.1/tcp/0', ({ addrs }) => (addrs as string[])[0]?.split('/')[4]],
  ['WebSockets', '/ip4/127.0.0.1/tcp/0/ws', ({ addrs }) => (addrs as string[])[0]?.split('/')[4]],
  ['status requests', '/ip4/127.0.0.1/tcp/0', ({ status }) => new URL(String(status)).port],
] satisfies Array<[string, string, (ready: Record<string, unknown>) => string | undefined]>)
  test(`a relay without descriptors for ${what} says so once, and accepts again`, limited, async t => {
    const args = ['--json', '--profile', 'custom', '--listen', listen, '--data-dir', await directory(t)]
    const relay = new Program(t, RELAY, [...args, '--status', '127.0.0.1:0'], { via: FEW })
    const ready = await relay.line('relay:ready')
    const callers = new Callers(t, pick(ready))
    callers.call(MANY_CALLERS)
    await relay.line('descriptors:exhausted')
    await until(() => callers.count('reset') > 0, 'some are reset')
    callers.leave()
    const { refused } = await relay.line('descriptors:recovered')
    assert.ok(Number(refused) > 0)
    await startListener(t, String((ready.addrs as string[])[0]))
    assert.equal((await fetch(`${String(ready['status'])}/healthz`)).status, 200)
    assert.equal(countOf(relay, 'descriptors:exhausted'), 1)
  })

test(
  'a listener without descriptors for its service says so, reads its files, and goes on',
  limited,
  async t => {
    const { addr: relay } = await startRelay(t, await directory(t))
    const names = join(await directory(t), 'names')
    await writeFile(names, '')
    const expose = ['--expose', `web=${await startService(t)}`, '--allow', 'web=anyone', '--names', names]
    const { listener, addr } = await startListener(t, relay, expose, { via: FEW })
    const forward = await startForward(t, addr, [])
    const { port } = await forward.line('forward:listening')
    const callers = new Callers(t, port)
    callers.call(MANY_CALLERS)
    await listener.line('descriptors:exhausted')
    await until(() => callers.count('open') === 0, 'each caller is greeted or reset')
    assert.ok(callers.count('greeted') > 0)

    callers.leave()
    const { refused } = await listener.line('descriptors:recovered')
    const refusals = countOf(listener, 'service:refused')
    assert.ok(refusals > 0 && refusals <= Number(refused))
    assert.match(listener.stdout, /"event":"service:refused".*"reason":"down".*EMFILE/)
    listener.child.kill('SIGHUP')
    await listener.line('config:reloaded')
    assert.equal(await greeting(port), 'hello')
  },
)
