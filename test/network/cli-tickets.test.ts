/** Tickets, from the command that makes one to the connection that it opens: programs as processes of their own. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { askNode } from '../../peer/control/client.ts'
import { Database } from '../../peer/node/database.ts'
import { directory, Program, startListener, startRelay, THROUGHNAT } from './program.ts'
import { inTime, once } from '../waits.ts'
import type { AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type { TicketRecord } from '../../peer/tickets/ticket-book.ts'
import type { Line } from './program.ts'

/** A service that says hello. */
async function greeter(t: TestContext): Promise<string> {
  const server = createServer(socket => socket.on('error', () => {}).write('hello'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A node that exposes `web` to bearers of tickets alone. */
async function startNode(t: TestContext): Promise<{ dataDir: string; relay: string; listener: Program }> {
  const { addr: relay } = await startRelay(t, await directory(t))
  const dataDir = await directory(t)
  const args = ['--data-dir', dataDir, '--expose', `web=${await greeter(t)}`]
  const { listener } = await startListener(t, relay, args)
  return { dataDir, relay, listener }
}

async function makeTicket(t: TestContext, dataDir: string, args: string[] = []): Promise<Line> {
  const making = new Program(t, THROUGHNAT, ['ticket', 'web', '--json', '--data-dir', dataDir, ...args])
  const line = await making.line('ticket')
  assert.equal(await making.ended(), 0)
  return line
}

async function fileOf(t: TestContext, { text }: Line): Promise<string> {
  const path = join(await directory(t), 'ticket')
  await writeFile(path, `${String(text)}\n`, { mode: 0o600 })
  return `@${path}`
}

/** The relay is on loopback, where a ticket alone leads nobody. */
async function startForward(
  t: TestContext,
  relay: string,
  ticket: string,
): Promise<{ forward: Program; port: number }> {
  const args = ['forward', '--json', '--local', '127.0.0.1:0', '--relay', relay, ticket]
  const forward = new Program(t, THROUGHNAT, args)
  const { port } = await forward.line('forward:listening')
  return { forward, port: Number(port) }
}

async function read(port: number): Promise<{ text: string; socket: Socket }> {
  const socket = connect({ host: '127.0.0.1', port })
  socket.on('error', () => {})
  const [data] = (await once(socket, 'data', { signal: AbortSignal.timeout(20_000) })) as [Buffer]
  return { text: data.toString(), socket }
}

test('a bearer gets in until the ticket is revoked, which cuts what it has open', async t => {
  const { dataDir, relay, listener } = await startNode(t)
  const ticket = await makeTicket(t, dataDir)
  const { forward, port } = await startForward(t, relay, await fileOf(t, ticket))
  const { text, socket } = await read(port)
  assert.equal(text, 'hello')
  assert.equal((await listener.line('service:opened')).ticket, ticket.id)

  const cut = new Promise(resolve => socket.on('close', resolve))
  const revoking = new Program(t, THROUGHNAT, ['revoke', String(ticket.id), '--json', '--data-dir', dataDir])
  assert.equal((await revoking.line('ticket:revoked')).id, ticket.id)
  await inTime(cut, 'the open connection is cut')
  connect({ host: '127.0.0.1', port }).on('error', () => {})
  const { error } = await forward.line('forward:failed')
  assert.match(String(error), /the ticket is used up, expired or revoked/)
  // one that moves to a better path just then finds its connection gone
  await listener.lineWhere(it => it.event === 'service:refused' && it.reason === 'ticket-unknown')
})

test('that a ticket is for a service which the node does not expose is said', async t => {
  const { dataDir } = await startNode(t)
  for (const [service, isSaid] of [
    ['web', false],
    ['wbe', true],
  ] as const) {
    const making = new Program(t, THROUGHNAT, ['ticket', service, '--json', '--data-dir', dataDir])
    assert.equal((await making.line('ticket')).service, service)
    assert.equal(await making.ended(), 0)
    assert.equal(making.stderr.includes('The node does not expose wbe now'), isSaid)
  }
})

test('a ticket for one peer lets in one, and the next is told no', async t => {
  const { dataDir, relay, listener } = await startNode(t)
  const file = await fileOf(t, await makeTicket(t, dataDir, ['--uses', '1', '--expires', '1h']))
  const { port } = await startForward(t, relay, file)
  assert.equal((await read(port)).text, 'hello')
  assert.equal((await read(port)).text, 'hello')
  const second = new Program(t, THROUGHNAT, ['forward', file, '--relay', relay, '--stdio'], { json: false })
  assert.equal(await second.ended(), 4)
  assert.match(second.stderr, /the ticket is used up, expired or revoked/)
  // one that moves to a better path just then finds its connection gone
  await listener.lineWhere(it => it.event === 'service:refused' && it.reason === 'ticket-used-up')
})

test('a ticket whose relay is not on the public network needs --relay, and the error says so', async t => {
  const { dataDir, relay } = await startNode(t)
  const file = await fileOf(t, await makeTicket(t, dataDir))
  const without = new Program(t, THROUGHNAT, ['forward', file, '--stdio'], { json: false })
  assert.equal(await without.ended(), 4)
  assert.match(without.stderr, /is no public address, .* add it with --relay/)
  assert.ok(without.stderr.includes(relay), without.stderr)
})

test('tickets are listed without what lets anybody in', async t => {
  const { dataDir } = await startNode(t)
  const ticket = await makeTicket(t, dataDir, ['--uses', '3'])
  const listing = new Program(t, THROUGHNAT, ['tickets', '--json', '--data-dir', dataDir])
  const { event: _event, at: _at, ...listed } = await listing.line('ticket:listed')
  const { event: _made, at: _when, text, ...made } = ticket
  assert.deepEqual(listed, made)
  assert.ok(!listing.stdout.includes(String(text).slice(5, 40)))
})

test('a ticket that is made before the node starts is good once it does', async t => {
  const { addr: relay } = await startRelay(t, await directory(t))
  const dataDir = await directory(t)
  const ticket = await makeTicket(t, dataDir, ['--relay', relay])
  await startListener(t, relay, ['--data-dir', dataDir, '--expose', `web=${await greeter(t)}`])
  const { port } = await startForward(t, relay, await fileOf(t, ticket))
  assert.equal((await read(port)).text, 'hello')
})

test('without a node and without a relay, a ticket would not say where', async t => {
  const dataDir = await directory(t)
  const making = new Program(t, THROUGHNAT, ['ticket', 'web', '--data-dir', dataDir], { json: false })
  assert.equal(await making.ended(), 3)
  assert.match(making.stderr, /--relay: missing/)
})

test('a ticket that is asked for while the node starts waits until it is somewhere', async t => {
  const { addr: relay } = await startRelay(t, await directory(t))
  const [dataDir, config] = [await directory(t), ['--expose', `web=${await greeter(t)}`]]
  const late = join(await directory(t), 'relays')
  await writeFile(late, '')
  const args = ['listen', '--json', '--relay-file', late, '--data-dir', dataDir, ...config]
  const listener = new Program(t, THROUGHNAT, args)
  await answering(dataDir)
  const making = askNode<Line>(dataDir, 'POST /tickets', { service: 'web' })
  await writeFile(late, `${relay}\n`)
  const ticket = await making
  await listener.line('reservation:granted')
  const { port } = await startForward(t, relay, await fileOf(t, ticket))
  assert.equal((await read(port)).text, 'hello')
})

/** Resolves when the node answers, which it does some time before its first reservation. */
async function answering(dataDir: string): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end; await pause(20)) {
    const isThere = await askNode(dataDir, 'GET /status').then(
      () => true,
      () => false,
    )
    if (isThere) return
  }
  assert.fail('the node does not answer')
}

for (const path of ['relayed', 'direct'])
  test(`a forward that is hung up on while ${path}, as ssh does with its ProxyCommand, leaves nothing open at the other end`, async t => {
    const { dataDir, relay, listener } = await startNode(t)
    const file = await fileOf(t, await makeTicket(t, dataDir))
    // stdout is the service's data, and the events are on stderr
    const args = ['forward', file, '--relay', relay, '--stdio', '--json']
    const forward = new Program(t, THROUGHNAT, args, { json: false })
    await forward.said(/hello/, 'stdout')
    if (path === 'direct') await forward.said(/"event":"path:changed".*"path":"direct"/)
    const hungUpAt = Date.now()
    forward.child.kill('SIGHUP')
    assert.equal(await forward.ended(), 129)
    const closed = await listener.line('service:closed')
    // and not after the time in which it might have come back
    assert.ok(closed.at - hungUpAt < 20_000, `${closed.at - hungUpAt} ms`)
  })

test('a ticket comes over standard input, too', async t => {
  const { dataDir, relay } = await startNode(t)
  const { text } = await makeTicket(t, dataDir)
  const args = ['forward', '-', '--json', '--local', '127.0.0.1:0', '--relay', relay]
  const forward = new Program(t, THROUGHNAT, args)
  forward.child.stdin.write(`${String(text)}\n`)
  const { port } = await forward.line('forward:listening')
  assert.equal((await read(Number(port))).text, 'hello')
})

test('a ticket on the command line is not left where ps shows it', async t => {
  const { dataDir, relay } = await startNode(t)
  const { text } = await makeTicket(t, dataDir)
  const { forward, port } = await startForward(t, relay, String(text))
  assert.equal((await read(port)).text, 'hello')
  const shown = await readFile(`/proc/${forward.child.pid}/cmdline`, 'utf8')
  assert.ok(!shown.includes(String(text).slice(5, 40)), shown)
  assert.ok(!(forward.stdout + forward.stderr).includes(String(text).slice(5, 40)))
})

test('a ticket on the command line is overwritten before the program has loaded', () => {
  const text = `tnat1${'z'.repeat(200)}`
  // stops when the first module of the program is asked for
  const hold = `import { registerHooks } from 'node:module'
    import { readFileSync, writeSync } from 'node:fs'
    registerHooks({ resolve(specifier, context, next) {
      if (!specifier.includes('cli/start')) return next(specifier, context)
      writeSync(1, readFileSync('/proc/self/cmdline'))
      process.exit(0)
    } })`
  for (const args of [
    ['ping', text],
    ['forward', `x${text}`, '--stdio'],
    ['id', '--data-dir', text],
    [text],
  ]) {
    const held = spawnSync(
      process.execPath,
      ['--import', `data:text/javascript,${encodeURIComponent(hold)}`, THROUGHNAT, ...args],
      { timeout: 30_000 },
    )
    assert.equal(held.status, 0, String(held.stderr))
    assert.ok(!String(held.stdout).includes('zzz'), String(held.stdout))
  }
})

test('a ticket in the wrong place is not repeated', async t => {
  const { dataDir } = await startNode(t)
  const text = String((await makeTicket(t, dataDir)).text)
  for (const args of [
    ['forward', text, 'web', text, '--stdio'],
    ['forward', text.slice(0, -3), '--stdio'],
    ['forward', text, 'ssh', '--stdio'],
    ['ping', text.slice(1)],
    ['id', text],
  ]) {
    const program = new Program(t, THROUGHNAT, args, { json: false })
    assert.equal(await program.ended(), 2, args[0])
    assert.ok(!program.stderr.includes(text.slice(12, 40)), program.stderr)
  }
})

test('a list of tickets waits for a slow reader, and none is missing', { timeout: 60_000 }, async t => {
  const dataDir = await directory(t)
  assert.equal(await new Program(t, THROUGHNAT, ['id', '--json', '--data-dir', dataDir]).ended(), 0)
  const count = 8_000
  {
    await using database = await Database.open<TicketRecord>(dataDir, 'tickets', 'json')
    const records = Array.from({ length: count }, (_, n) => recordOf(n.toString(16).padStart(16, '0')))
    await database.write(records.map(value => ({ type: 'put', key: value.id, value })))
  }
  const listing = new Program(t, THROUGHNAT, ['tickets', '--json', '--data-dir', dataDir])
  listing.child.stdout.pause()
  await pause(3_000)
  listing.child.stdout.resume()
  assert.equal(await listing.ended(), 0)
  assert.equal(listing.lines.filter(it => it.event === 'ticket:listed').length, count)
})

function recordOf(id: string): TicketRecord {
  const hash = 'x'.repeat(43)
  return {
    id,
    service: 'a-service-with-a-long-name',
    createdAt: 0,
    expiresAt: null,
    uses: 1,
    peers: ['x'.repeat(52)],
    hash,
  }
}

test('a ticket is written to a file that only this user can read, or not made', async t => {
  const { dataDir, relay } = await startNode(t)
  const place = await directory(t)
  const file = join(place, 'web.ticket')
  await writeFile(file, 'old', { mode: 0o644 })
  const making = ['ticket', 'web', '--json', '--data-dir', dataDir]
  const made = new Program(t, THROUGHNAT, [...making, '--output', file])
  const line = await made.line('ticket')
  assert.equal(await made.ended(), 0)
  assert.deepEqual([line['file'], line['text']], [file, undefined])
  assert.doesNotMatch(made.stdout + made.stderr, /tnat1|warning/)
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  const { port } = await startForward(t, relay, `@${file}`)
  assert.equal((await read(port)).text, 'hello')

  const failing = new Program(t, THROUGHNAT, [...making, '--relay', relay, '--output', join(file, 'x')])
  assert.equal(await failing.ended(), 3)
  assert.match(failing.stderr, /--output: .* cannot be written: .*ENOTDIR/)
  const listing = new Program(t, THROUGHNAT, ['tickets', '--json', '--data-dir', dataDir])
  assert.equal(await listing.ended(), 0)
  assert.deepEqual(
    listing.lines.map(it => it['id']),
    [line['id']],
  )
})

test('a ticket that a shell writes to a file that others can read comes with a warning', async t => {
  const { dataDir } = await startNode(t)
  const file = join(await directory(t), 'web.ticket')
  const command = `umask 022; exec "$@" > ${file}`
  const making = new Program(t, THROUGHNAT, ['ticket', 'web', '--data-dir', dataDir], {
    json: false,
    via: ['sh', '-c', command, 'sh'],
  })
  assert.equal(await making.ended(), 0)
  assert.match(making.stderr, /can be read by others \(mode 644\); use --output FILE, or run: chmod 600 /)
  assert.match(await readFile(file, 'utf8'), /^tnat1/)
})
