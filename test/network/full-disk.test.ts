/** A data directory that cannot be written: what the peer does for others goes on. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { appendFileSync, existsSync, readFileSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { buffer } from 'node:stream/consumers'
import { askNode } from '../../peer/control/client.ts'
import { RELAY, THROUGHNAT, Program, directory, startListener, startRelay } from './program.ts'
import { SmallDisk, cannotMount } from './small-disk.ts'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

const onDisk = { skip: cannotMount, timeout: 90_000 }

async function run(t: TestContext, ...args: string[]): Promise<Program & { code: number | null }> {
  const program = new Program(t, THROUGHNAT, args)
  return Object.assign(program, { code: await program.ended() })
}

/** Pings once, from a new peer. */
async function ping(t: TestContext, target: string): Promise<number | null> {
  const { code } = await run(t, 'ping', target, '--json', '--count', '1', '--timeout', '10s')
  return code
}

/** A service that greets. */
async function startService(t: TestContext): Promise<string> {
  const server = createServer(socket => socket.on('error', () => {}).end('hello'))
  t.after(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** What the service says to one connection through a forward; the text is empty if it is refused. */
async function greeting(forward: Program): Promise<string> {
  const { port } = await forward.line('forward:listening')
  const socket = connect(Number(port), '127.0.0.1')
  socket.on('error', () => {})
  const text = await buffer(socket).catch(() => Buffer.alloc(0))
  return text.toString()
}

test('a listener whose data directory fills while it runs answers, and says so once', onDisk, async t => {
  const disk = await SmallDisk.mount(t, '2m')
  const { addr: relay } = await startRelay(t, await directory(t))
  const { listener, addr } = await startListener(t, relay, ['--data-dir', disk.path])
  assert.equal(await ping(t, addr), 0)
  disk.fill()
  for (let n = 0; n < 3; n += 1) assert.equal(await ping(t, addr), 0, `ping ${n}`)
  const failed = await listener.line('storage:failed')
  assert.deepEqual([failed['path'], failed['reason']], [disk.path, 'ENOSPC'])
  disk.free()
  assert.equal((await listener.line('storage:recovered'))['dropped'], 0)
  assert.equal(await ping(t, addr), 0)
  assert.equal(listener.lines.filter(it => it.event === 'storage:failed').length, 1)
  assert.match(listener.stderr, /ENOSPC/)
  listener.child.kill('SIGTERM')
  assert.equal(await listener.ended(), 143)
})

test('a listener that starts with a full disk is reachable, and a second one is refused', onDisk, async t => {
  const disk = await SmallDisk.mount(t, '2m')
  const { addr: relay } = await startRelay(t, await directory(t))
  const { code } = await run(t, 'id', '--json', '--data-dir', disk.path)
  assert.equal(code, 0)
  // the first start makes the databases
  const first = await startListener(t, relay, ['--data-dir', disk.path])
  first.listener.child.kill('SIGTERM')
  await first.listener.ended()
  disk.fill()
  const { listener, addr } = await startListener(t, relay, ['--data-dir', disk.path])
  await listener.line('storage:failed')
  assert.equal(await ping(t, addr), 0)
  const second = await run(t, 'listen', '--json', '--relay', relay, '--data-dir', disk.path)
  assert.equal(second.code, 3)
  assert.match(second.stderr, /another process is running with it/)
  disk.free()
  await listener.line('storage:recovered')
})

test('a listener under a limit on the size of files answers', {
  skip: process.platform !== 'linux',
  timeout: 90_000,
}, async t => {
  const { addr: relay } = await startRelay(t, await directory(t))
  const dataDir = await directory(t)
  assert.equal((await run(t, 'id', '--json', '--data-dir', dataDir)).code, 0)
  const args = ['--data-dir', dataDir]
  const { listener, addr } = await startListener(t, relay, args, { via: ['prlimit', '--fsize=1024'] })
  for (let n = 0; n < 3; n += 1) assert.equal(await ping(t, addr), 0, `ping ${n}`)
  assert.equal((await listener.line('storage:failed'))['reason'], 'EFBIG')
})

test('a dialer whose data directory is full dials and carries', onDisk, async t => {
  const disk = await SmallDisk.mount(t, '2m')
  const { addr: relay } = await startRelay(t, await directory(t))
  const expose = ['--expose', `greet=${await startService(t)}`, '--allow', 'greet=anyone']
  const { addr } = await startListener(t, relay, expose)
  const args = ['forward', addr, 'greet', '--local', '127.0.0.1:0', '--json', '--data-dir', disk.path]
  const forward = new Program(t, THROUGHNAT, args)
  assert.equal(await greeting(forward), 'hello')
  disk.fill()
  for (let n = 0; n < 3; n += 1) assert.equal(await greeting(forward), 'hello')
})

test(
  'a ticket for one peer lets nobody in while its use cannot be written, and one when it can be',
  onDisk,
  async t => {
    const disk = await SmallDisk.mount(t, '2m')
    const { addr: relay } = await startRelay(t, await directory(t))
    const expose = ['--expose', `greet=${await startService(t)}`, '--data-dir', disk.path]
    const { listener } = await startListener(t, relay, expose)
    const issued = await run(t, 'ticket', 'greet', '--uses', '1', '--json', '--data-dir', disk.path)
    const { id, text = '' } = issued.lines[0] as { id?: string; text?: string }
    disk.fill()
    // the last block of the log has some space left
    const fillLog = async (): Promise<void> => {
      for (;;) await askNode(disk.path, 'POST /tickets', { service: 'greet', relays: [relay] })
    }
    await assert.rejects(fillLog(), /ENOSPC/)
    const refused = await run(t, 'ticket', 'greet', '--json', '--data-dir', disk.path)
    assert.equal(refused.code, 3)
    assert.match(refused.stderr, /ENOSPC\. Free some space/)
    const forward = new Program(t, THROUGHNAT, [
      'forward',
      text,
      '--relay',
      relay,
      '--local',
      '127.0.0.1:0',
      '--json',
    ])
    assert.equal(await greeting(forward), '')
    assert.equal((await listener.line('service:refused'))['reason'], 'down')
    disk.free()
    // the disk is looked at again after a second
    let greeted = ''
    for (let n = 0; n < 50 && greeted === ''; n += 1) {
      greeted = await greeting(forward)
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    assert.equal(greeted, 'hello')
    // killed, so that nothing is mended at the end
    listener.child.kill('SIGKILL')
    await listener.ended()
    const { lines } = await run(t, 'tickets', '--json', '--data-dir', disk.path)
    assert.equal((lines.find(it => it['id'] === id)?.['peers'] as string[] | undefined)?.length, 1)
  },
)

/** The first address in the first line that a program has written to its log. */
async function firstAddr(log: string, event: string): Promise<string> {
  const signal = AbortSignal.timeout(20_000)
  for (;;) {
    const text = existsSync(log) ? readFileSync(log, 'utf8') : ''
    const line = text.split('\n').find(it => it.startsWith(`{"event":"${event}"`))
    if (line !== undefined) return (JSON.parse(line) as { addrs: string[] }).addrs[0] ?? ''
    await pause(50, undefined, { signal })
  }
}

test('a relay and a listener whose logs are on a full disk go on', onDisk, async t => {
  const disk = await SmallDisk.mount(t, '256k')
  const start = (path: string, log: string, args: string[]): Program =>
    new Program(t, path, args, { json: false, via: ['sh', '-c', `exec "$0" "$@" >> ${log}`] })
  const [relayLog, listenerLog] = [join(disk.path, 'relay'), join(disk.path, 'listener')]
  const dirs = [await directory(t), await directory(t)] as const
  const listen = ['--json', '--listen', '/ip4/127.0.0.1/tcp/0', '--data-dir', dirs[0]]
  const relay = start(RELAY, relayLog, listen)
  const relayAddr = await firstAddr(relayLog, 'relay:ready')
  const args = ['listen', '--json', '--relay', relayAddr, '--data-dir', dirs[1]]
  const listener = start(THROUGHNAT, listenerLog, args)
  const addr = await firstAddr(listenerLog, 'peer:ready')
  // no space is left in the last block of either log
  for (const log of [relayLog, listenerLog])
    appendFileSync(log, ' '.repeat(4096 - (statSync(log).size % 4096)))
  disk.fill()
  for (let n = 0; n < 2; n += 1) assert.equal(await ping(t, addr), 0, `ping ${n}`)
  for (const [program, code] of [
    [listener, 143],
    [relay, 0],
  ] as const) {
    program.child.kill('SIGTERM')
    assert.equal(await program.ended(), code)
    assert.match(program.stderr, /warning: Cannot write to stdout: ENOSPC/)
  }
})
