/** `throughnat up`, and what `listen` can expose: programs as processes of their own. */

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { once } from '../waits.ts'
import type { AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { directory, Program, startListener, startRelay, THROUGHNAT } from './program.ts'

/** A service that greets, then echoes; resolves with where it listens. */
async function greeter(t: TestContext, greeting: string, path?: string): Promise<string> {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.write(greeting)
    socket.pipe(socket)
  })
  server.listen(path ?? { host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  t.after(() => server.close())
  return path === undefined ? `127.0.0.1:${(server.address() as AddressInfo).port}` : `unix:${path}`
}

/** Connects, and resolves with the first bytes that come. */
async function read(port: number): Promise<{ text: string; socket: Socket }> {
  const socket = connect({ host: '127.0.0.1', port })
  // it is reset when the programs stop
  socket.on('error', () => {})
  const [data] = (await once(socket, 'data', { signal: AbortSignal.timeout(20_000) })) as [Buffer]
  return { text: data.toString(), socket }
}

async function peerIdOf(t: TestContext, dataDir: string): Promise<string> {
  const id = new Program(t, THROUGHNAT, ['id', '--json', '--data-dir', dataDir])
  return String((await id.line('id')).peerId)
}

test('one configuration brings up services and forwards, by names from a file', async t => {
  const { addr: relay } = await startRelay(t, await directory(t))
  const [home, away] = [await directory(t), await directory(t)]
  const names = join(away, 'names')
  await writeFile(names, `home ${await peerIdOf(t, home)}\nlaptop ${await peerIdOf(t, away)}\n`)
  const config = join(home, 'peer.yaml')
  const socket = await greeter(t, 'from the socket', join(home, 'web.sock'))
  await writeFile(
    config,
    [
      `relay: ${relay}`,
      'expose:',
      `  - ssh=${await greeter(t, 'from ssh')}`,
      `  - web=${socket}`,
      'allow: [ssh=laptop, web=laptop]',
      `names: ${names}`,
    ].join('\n'),
  )
  const listener = new Program(t, THROUGHNAT, ['up', '--json', '--config', config, '--data-dir', home])
  await listener.line('peer:ready')
  const forwards = ['--forward', '127.0.0.1:0=home/ssh', '--forward', '127.0.0.1:0=home/web']
  const dialer = new Program(t, THROUGHNAT, [
    'up',
    '--json',
    '--relay',
    relay,
    '--names',
    names,
    '--data-dir',
    away,
    ...forwards,
  ])
  await dialer.lineWhere(it => it.event === 'forward:listening' && it.service === 'web')
  const listening = dialer.lines.filter(it => it.event === 'forward:listening')
  const texts = await Promise.all(listening.map(async it => (await read(Number(it.port))).text))
  assert.deepEqual(texts, ['from ssh', 'from the socket'])
  dialer.child.kill('SIGTERM')
  listener.child.kill('SIGTERM')
  assert.deepEqual(await Promise.all([dialer.ended(), listener.ended()]), [143, 143])
})

test('a forward that is up before its peer reaches it once it is there', async t => {
  const { addr: relay } = await startRelay(t, await directory(t))
  const home = await directory(t)
  const peer = await peerIdOf(t, home)
  const rule = `127.0.0.1:0=${peer}/web`
  const args = ['up', '--json', '--relay', relay, '--data-dir', await directory(t), '--forward', rule]
  const dialer = new Program(t, THROUGHNAT, args)
  const { port } = await dialer.line('forward:listening')
  const early = connect({ host: '127.0.0.1', port: Number(port) })
  const [error] = (await once(early, 'error')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'ECONNRESET')
  await dialer.line('forward:failed')
  const services = ['--expose', `web=${await greeter(t, 'here')}`, '--allow', 'web=anyone']
  const reachable = ['listen', '--json', '--relay', relay, '--data-dir', home]
  const listener = new Program(t, THROUGHNAT, [...reachable, ...services])
  await listener.line('peer:ready')
  assert.equal((await read(Number(port))).text, 'here')
})

test('SIGHUP reads the rules again: who is no longer allowed is cut off, and who is new gets in', async t => {
  const { addr: relay } = await startRelay(t, await directory(t))
  const away = await directory(t)
  const me = await peerIdOf(t, away)
  const allowFile = join(away, 'allow')
  await writeFile(allowFile, `web=${me}\n`)
  const { listener, addr } = await startListener(t, relay, [
    '--expose',
    `web=${await greeter(t, 'hello')}`,
    '--allow-file',
    allowFile,
  ])
  const forward = new Program(t, THROUGHNAT, [
    'forward',
    addr,
    'web',
    '--json',
    '--local',
    '127.0.0.1:0',
    '--data-dir',
    away,
  ])
  const port = Number((await forward.line('forward:listening')).port)
  const { socket } = await read(port)
  await writeFile(allowFile, '# nobody\n')
  const cut = once(socket, 'error')
  listener.child.kill('SIGHUP')
  assert.equal(((await cut)[0] as NodeJS.ErrnoException).code, 'ECONNRESET')
  const refused = connect({ host: '127.0.0.1', port })
  assert.equal(((await once(refused, 'error'))[0] as NodeJS.ErrnoException).code, 'ECONNRESET')
  // one that moves to a better path just then finds its connection gone
  await listener.lineWhere(it => it.event === 'service:refused' && it.reason === 'not-allowed')

  await writeFile(allowFile, 'web=nonsense here\n')
  const reloads = listener.lines.filter(it => it.event === 'config:reloaded').length
  listener.child.kill('SIGHUP')
  await listener.said(/allow:1/)
  assert.equal(listener.lines.filter(it => it.event === 'config:reloaded').length, reloads)

  await writeFile(allowFile, 'web=anyone\n')
  listener.child.kill('SIGHUP')
  await listener.lineWhere(
    it =>
      it.event === 'config:reloaded' &&
      it !== listener.lines.find(first => first.event === 'config:reloaded'),
  )
  assert.equal((await read(port)).text, 'hello')
})

test('a node without services that is given some by SIGHUP says that it has to be started again', async t => {
  const { addr: relay } = await startRelay(t, await directory(t))
  const [home, away] = [await directory(t), await directory(t)]
  const config = join(away, 'peer.yaml')
  const lines = [`relay: ${relay}`, `forward: [127.0.0.1:0=${await peerIdOf(t, home)}/web]`]
  await writeFile(config, lines.join('\n'))
  const node = new Program(t, THROUGHNAT, ['up', '--json', '--config', config, '--data-dir', away])
  await node.line('peer:ready')
  await writeFile(config, [...lines, 'expose: [web=127.0.0.1:80]'].join('\n'))
  node.child.kill('SIGHUP')
  await node.line('config:reloaded')
  await node.said(/Restart it to make it reachable/)
})

test('a service that asks for it is told who connects', async t => {
  const { addr: relay } = await startRelay(t, await directory(t))
  const away = await directory(t)
  const me = await peerIdOf(t, away)
  const { promise, resolve } = Promise.withResolvers<Buffer>()
  const server = createServer(socket => socket.on('error', () => {}).once('data', resolve))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const place = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const { addr } = await startListener(t, relay, [
    '--expose',
    `web=${place}`,
    '--allow',
    'web=anyone',
    '--proxy-protocol',
    'web',
  ])
  const forward = new Program(t, THROUGHNAT, [
    'forward',
    addr,
    'web',
    '--json',
    '--local',
    '127.0.0.1:0',
    '--data-dir',
    away,
  ])
  const { port } = await forward.line('forward:listening')
  connect({ host: '127.0.0.1', port: Number(port) }).on('error', () => {})
  const header = await promise
  assert.equal(header.subarray(0, 13).toString('hex'), '0d0a0d0a000d0a515549540a21')
  assert.ok(header.includes(me))
})

test('with nothing to bring up, that is said', async t => {
  const up = new Program(t, THROUGHNAT, ['up', '--data-dir', await directory(t)], { json: false })
  assert.equal(await up.ended(), 2)
  assert.match(up.stderr, /nothing to run/)
})

test('two programs use a service with one data directory at the same time', async t => {
  const { addr: relay } = await startRelay(t, await directory(t))
  const away = await directory(t)
  const me = await peerIdOf(t, away)
  const { listener, addr } = await startListener(t, relay, [
    '--expose',
    `web=${await greeter(t, 'hello')}`,
    '--allow',
    `web=${me}`,
  ])
  const args = ['forward', addr, 'web', '--json', '--local', '127.0.0.1:0', '--data-dir', away]
  const first = new Program(t, THROUGHNAT, args)
  await first.line('forward:listening')
  const second = new Program(t, THROUGHNAT, args)
  const ports = await Promise.all(
    [first, second].map(async it => Number((await it.line('forward:listening')).port)),
  )
  const texts = await Promise.all(ports.map(async port => (await read(port)).text))
  assert.deepEqual(texts, ['hello', 'hello'])
  const opened = await listener.lineWhere(it => it.event === 'service:opened' && it.principal !== undefined)
  assert.equal(opened.principal, me)
  assert.notEqual(opened.peerId, me)
})
