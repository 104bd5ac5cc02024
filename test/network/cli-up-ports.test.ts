/** `throughnat up` where a forward cannot listen: the others work, and it is tried again. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { test } from 'node:test'
import { directory, Program, startListener, startRelay, THROUGHNAT } from './program.ts'
import type { AddressInfo, Server } from 'node:net'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 60_000 }

async function greeter(t: TestContext, greeting: string): Promise<{ server: Server; port: number }> {
  const server = createServer(socket => socket.on('error', () => {}).end(greeting)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { server, port: (server.address() as AddressInfo).port }
}

async function read(port: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port }).on('error', () => {})
  const [data] = (await once(socket, 'data', { signal: AbortSignal.timeout(20_000) })) as [Buffer]
  return String(data)
}

interface Stage {
  up: (...args: string[]) => Program
  status: () => Promise<Array<Record<string, unknown>>>
  rule: (port: number) => string[]
}

async function prepare(t: TestContext): Promise<Stage> {
  const { port } = await greeter(t, 'from afar')
  const { addr: relay } = await startRelay(t, await directory(t))
  const { addr } = await startListener(t, relay, [
    '--expose',
    `web=127.0.0.1:${port}`,
    '--allow',
    'web=anyone',
  ])
  const dataDir = await directory(t)
  return {
    up: (...args) => new Program(t, THROUGHNAT, ['up', '--json', '--data-dir', dataDir, ...args]),
    rule: port => ['--forward', `127.0.0.1:${port}=${addr}/web`],
    async status() {
      const program = new Program(t, THROUGHNAT, ['status', '--json', '--data-dir', dataDir])
      return (await program.line('status'))['forwards'] as Array<Record<string, unknown>>
    },
  }
}

test(
  'a port that is taken keeps no other forward from its own, and is had when it is free',
  LIMIT,
  async t => {
    const { up, status, rule } = await prepare(t)
    const taken = await greeter(t, 'another program')
    const node = up(...rule(taken.port), ...rule(0))
    const failed = await node.line('forward:failed')
    assert.deepEqual([failed['service'], failed['host'], failed['port']], ['web', '127.0.0.1', taken.port])
    assert.match(String(failed['error']), /EADDRINUSE/)
    assert.equal(typeof failed['retryInMs'], 'number')
    const { port } = await node.line('forward:listening')
    await node.line('peer:ready')
    assert.equal(await read(Number(port)), 'from afar')

    const [first, second] = await status()
    assert.deepEqual(
      [first?.['local'], first?.['listening'], first?.['lastError']],
      [`127.0.0.1:${taken.port}`, false, 'the port is in use (EADDRINUSE)'],
    )
    assert.equal(second?.['listening'], true)

    taken.server.close()
    await node.lineWhere(it => it.event === 'forward:listening' && it['port'] === taken.port)
    assert.equal(await read(taken.port), 'from afar')
    const [freed] = await status()
    assert.deepEqual([freed?.['listening'], freed?.['lastError'], freed?.['total']], [true, null, 1])
  },
)

test('a forward that cannot listen is stopped with the others', LIMIT, async t => {
  const { up, rule } = await prepare(t)
  const taken = await greeter(t, 'another program')
  const node = up(...rule(taken.port))
  await node.line('peer:ready')
  node.child.kill('SIGTERM')
  assert.equal(await node.ended(), 143)
})

test('an address of another machine does not keep the others either', LIMIT, async t => {
  const { up, rule } = await prepare(t)
  const [, other = ''] = rule(0)
  const node = up('--forward', other.replace('127.0.0.1:0', '192.0.2.1:8080'), ...rule(0))
  assert.match(String((await node.line('forward:failed'))['error']), /EADDRNOTAVAIL/)
  assert.equal(await read(Number((await node.line('forward:listening'))['port'])), 'from afar')
})

test('--strict ends with 3 and says which port is taken', LIMIT, async t => {
  const { up, rule } = await prepare(t)
  const taken = await greeter(t, 'another program')
  const node = up('--strict', ...rule(0), ...rule(taken.port))
  assert.equal(await node.ended(), 3)
  assert.match(
    node.stderr,
    new RegExp(`^error: Cannot listen on 127\\.0\\.0\\.1 port ${taken.port}: the port is in use`, 'm'),
  )
})

test('a forward with a wrong target is an error of the configuration all the same', LIMIT, async t => {
  const { up, rule } = await prepare(t)
  const node = up(...rule(0), '--forward', '127.0.0.1:0=nobody/web')
  assert.equal(await node.ended(), 3)
  assert.match(node.stderr, /no peer is called "nobody"/)
})

test('people read once that a port is taken', LIMIT, async t => {
  const { rule } = await prepare(t)
  const taken = await greeter(t, 'another program')
  const args = ['up', '--data-dir', await directory(t), ...rule(taken.port)]
  const node = new Program(t, THROUGHNAT, args, { json: false })
  while (!node.stdout.includes('This peer is')) await once(node.child.stdout, 'data')
  assert.match(
    node.stdout,
    new RegExp(
      `^Cannot listen on 127\\.0\\.0\\.1:${taken.port}, for web: the port is in use \\(EADDRINUSE\\); trying again`,
      'm',
    ),
  )
  taken.server.close()
  while (!node.stdout.includes('Listening on')) await once(node.child.stdout, 'data')
  assert.equal(node.stdout.split('Cannot listen').length, 2)
})
