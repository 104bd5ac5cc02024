/** One tunnel connection over standard input and output, as ssh's ProxyCommand uses it, between real nodes. */
import { strict as assert } from 'node:assert'
import { once } from '../waits.ts'
import type { Socket } from 'node:net'
import { PassThrough, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { forwardStdio } from '../../peer/tunnel/dialer/forward-stdio.ts'
import { freePort } from './free-port.ts'
import { connectNodes, exposePort, readAll, serve } from './tunnel-nodes.ts'

const timeout = 60_000

test('standard input reaches the service, and all it answers standard output', { timeout }, async t => {
  const service = await serve(t, socket => {
    void readAll(socket).then(request => socket.end(Buffer.concat([request, request])))
  })
  const nodes = await connectNodes(t, 'direct')
  await exposePort(t, nodes, service.port)
  const [stdin, stdout] = [new PassThrough(), new PassThrough()]
  const output = text(stdout)
  stdin.end(Buffer.alloc(1024 * 1024, 'x'))
  const traffic = await forwardStdio({ stdin, stdout, openStream: nodes.openStream, service: 'web' })
  assert.deepEqual(traffic, { bytesIn: 2 * 1024 * 1024, bytesOut: 1024 * 1024 })
  stdout.end()
  assert.equal(await output, 'x'.repeat(2 * 1024 * 1024))
})

test('the end of the service ends it, though standard input is still open', { timeout }, async t => {
  const service = await serve(t, socket => socket.end('goodbye'))
  const nodes = await connectNodes(t, 'direct')
  await exposePort(t, nodes, service.port)
  const [stdin, stdout] = [new PassThrough(), new PassThrough()]
  await forwardStdio({ stdin, stdout, openStream: nodes.openStream, service: 'web' })
  assert.equal(String(stdout.read()), 'goodbye')
  assert.equal(stdin.isPaused(), true)
  for (const stream of [stdin, stdout]) {
    const left = stream.eventNames().filter(name => name !== 'prefinish')
    assert.deepEqual(left, [], 'listeners are left')
  }
})

test('the end of a service that reads nothing more ends it, though standard input is not sent', {
  timeout,
}, async t => {
  const service = await serve(t, socket => socket.pause().end('goodbye'))
  const nodes = await connectNodes(t, 'direct')
  await exposePort(t, nodes, service.port)
  const [stdin, stdout] = [new PassThrough(), new PassThrough()]
  stdin.write(Buffer.alloc(64 * 1024 * 1024))
  await forwardStdio({ stdin, stdout, openStream: nodes.openStream, service: 'web' })
  assert.equal(String(stdout.read()), 'goodbye')
})

test('a reset by the service is an error', { timeout }, async t => {
  const service = await serve(t, socket => void once(socket, 'data').then(() => socket.resetAndDestroy()))
  const nodes = await connectNodes(t, 'direct')
  await exposePort(t, nodes, service.port)
  const [stdin, stdout] = [new PassThrough(), new PassThrough()]
  stdin.write('x')
  const running = forwardStdio({ stdin, stdout, openStream: nodes.openStream, service: 'web' })
  await assert.rejects(running, { name: 'StreamResetError' })
})

test('a service that is down is an error, and standard output stays empty', { timeout }, async t => {
  const nodes = await connectNodes(t, 'direct')
  await exposePort(t, nodes, await freePort())
  const [stdin, stdout] = [new PassThrough(), new PassThrough()]
  const running = forwardStdio({ stdin, stdout, openStream: nodes.openStream, service: 'web' })
  await assert.rejects(running, { name: 'ServiceRefusedError', reason: 'service-down' })
  assert.equal(stdout.readableLength, 0)
})

test('a reader of standard output that went away cuts the connection', { timeout }, async t => {
  const { promise: accepted, resolve } = Promise.withResolvers<Socket>()
  const service = await serve(t, socket => {
    socket.write('hello')
    socket.on('error', () => resolve(socket))
  })
  const nodes = await connectNodes(t, 'direct')
  await exposePort(t, nodes, service.port)
  const stdout = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) })
  const running = forwardStdio({
    stdin: new PassThrough(),
    stdout,
    openStream: nodes.openStream,
    service: 'web',
  })
  await assert.rejects(running, { message: 'EPIPE' })
  await accepted
})

test('a signal cuts the connection', { timeout }, async t => {
  const { promise: accepted, resolve } = Promise.withResolvers<Socket>()
  const service = await serve(t, resolve)
  const nodes = await connectNodes(t, 'direct')
  await exposePort(t, nodes, service.port)
  const controller = new AbortController()
  const [stdin, stdout] = [new PassThrough(), new PassThrough()]
  const { openStream } = nodes
  const running = forwardStdio({ stdin, stdout, openStream, service: 'web', signal: controller.signal })
  const socket = await accepted
  const reset = once(socket.resume(), 'error')
  controller.abort()
  await assert.rejects(running, { name: 'AbortError' })
  assert.equal((await reset)[0].code, 'ECONNRESET')
})
