/**
 * What a remote peer can do wrong on a tunnel stream, on purpose or not, between real nodes.
 *
 * Each case writes raw bytes to the stream, and looks at what comes back and at what the listener reports. After
 * each of them the same services still serve an honest caller, so a case that breaks or blocks them fails.
 */
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { Uint8ArrayList } from 'uint8arraylist'
import { once } from '../waits.ts'
import type { Stream } from '@libp2p/interface'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { openService } from '../../peer/tunnel/dialer/open-service.ts'
import { readMessage } from '../../peer/tunnel/wire/message.ts'
import { decodeResponse, encodeRequest, TUNNEL_PROTOCOL } from '../../peer/tunnel/wire/protocol.ts'
import { encodeAck, encodeData, END_FRAME, FrameReader } from '../../peer/tunnel/resume/frames.ts'
import type { ServicesLimits } from '../../peer/tunnel/listener/service-limits.ts'
import type { Services, ServicesInit } from '../../peer/tunnel/listener/services.ts'
import { connectNodes, connectTo, expose, serveEcho } from './tunnel-nodes.ts'
import type { Nodes } from './tunnel-nodes.ts'

const timeout = 60_000

async function start(t: TestContext, limits: Partial<ServicesLimits> = {}): Promise<[Nodes, Services]> {
  const { port } = await serveEcho(t)
  const nodes = await connectNodes(t, 'direct')
  const services = new Map([['web', { host: '127.0.0.1', port }]])
  const init: ServicesInit = { services, allow: new Map([['web', 'anyone']]), limits }
  return [nodes, await expose(t, nodes, init)]
}

function newStream(nodes: Nodes): Promise<Stream> {
  return nodes.connection.newStream([TUNNEL_PROTOCOL], { maxOutboundStreams: Infinity })
}

/** Collects what a stream brings until it ends, or the name of the error that cut it. */
function answer(stream: Stream): Promise<string> {
  let text = ''
  return new Promise(resolve => {
    stream.addEventListener(
      'message',
      event => (text += Buffer.from(event.data.subarray()).toString('latin1')),
    )
    stream.addEventListener('end', () => stream.status === 'reset' || resolve(text))
    stream.addEventListener('close', event => resolve(event.error?.name ?? text))
  })
}

const malformed = '\x16{"status":"malformed"}'

const cases: { name: string; bytes: Uint8Array; isEnded: boolean }[] = [
  { name: 'an empty message', bytes: Buffer.from([0]), isEnded: false },
  { name: 'a length above 1 KiB', bytes: Buffer.from([0x81, 0x08]), isEnded: false },
  { name: 'a length that never ends', bytes: Buffer.alloc(100_000, 0xff), isEnded: false },
  { name: 'a length with a needless byte', bytes: Buffer.from([0x85, 0x00]), isEnded: false },
  { name: 'garbage', bytes: Buffer.from('\x05abcde'), isEnded: false },
  { name: 'invalid UTF-8', bytes: Buffer.from([3, 0x22, 0xff, 0x22]), isEnded: false },
  { name: 'JSON without a service', bytes: Buffer.from('\x02{}'), isEnded: false },
  { name: 'a service that is no text', bytes: Buffer.from('\x0d{"service":1}'), isEnded: false },
  { name: 'a list', bytes: Buffer.from('\x07["web"]'), isEnded: false },
  {
    name: 'brackets without end',
    bytes: Buffer.from(`\x80\x08${'['.repeat(1024)}`, 'latin1'),
    isEnded: false,
  },
  { name: 'a truncated message', bytes: openRequest('web').subarray(0, 9), isEnded: true },
  { name: 'nothing but an end', bytes: new Uint8Array(), isEnded: true },
]

test('a request that cannot be understood is answered so, whatever it is', { timeout }, async t => {
  const [nodes, services] = await start(t)
  for (const { name, bytes, isEnded } of cases) {
    await t.test(name, async () => {
      const refused = once(services, 'service:refused')
      const stream = await newStream(nodes)
      const answered = answer(stream)
      if (bytes.byteLength > 0) stream.send(bytes)
      if (isEnded) await stream.close()
      assert.equal(await answered, malformed)
      assert.equal((await refused)[0].detail.reason, 'malformed')
      stream.abort(new Error('seen enough'))
      await assertServes(nodes)
    })
  }
})

test('a peer that asks for nothing is cut off after the limit', { timeout }, async t => {
  const [nodes, services] = await start(t, { requestMs: 50 })
  for (const bytes of [undefined, Buffer.from([9]), Buffer.from('\x0d{"serv')]) {
    const refused = once(services, 'service:refused')
    const stream = await newStream(nodes)
    const answered = answer(stream)
    if (bytes !== undefined) stream.send(bytes)
    assert.equal(await answered, 'StreamResetError')
    assert.equal((await refused)[0].detail.reason, 'silent')
  }
  await assertServes(nodes)
})

test('a peer that ignores a refusal is cut off after the limit', { timeout }, async t => {
  const [nodes] = await start(t, { requestMs: 50 })
  const stream = await newStream(nodes)
  const closed = once(stream, 'close')
  stream.send(openRequest('missing'))
  assert.equal((await closed)[0].error?.name, 'StreamResetError')
})

test('a peer that resets its stream early leaves nothing open', { timeout }, async t => {
  const [nodes, services] = await start(t)
  const refused = once(services, 'service:refused')
  const stream = await newStream(nodes)
  stream.abort(new Error('changed my mind'))
  assert.equal((await refused)[0].detail.reason, 'gone')
  await services.stop()
})

test('what follows the request at once reaches the service, end included', { timeout }, async t => {
  const [nodes] = await start(t)
  const stream = await newStream(nodes)
  const answered = readMessage(stream)
  stream.send(new Uint8ArrayList(openRequest('web'), encodeData(list('early')), END_FRAME))
  assert.deepEqual(decodeResponse(await answered), { status: 'ok' })
  const echoed = Promise.withResolvers<string>()
  let data = ''
  const reader = new FrameReader({
    onData: bytes => (data += Buffer.from(bytes.subarray()).toString()),
    onAck: () => {},
    onEnd: () => echoed.resolve(data),
    onCut: () => echoed.reject(new Error('cut')),
  })
  stream.addEventListener('message', event => reader.push(event.data))
  stream.resume()
  assert.equal(await echoed.promise, 'early')
})

for (const { name, frames, error } of [
  { name: 'data after the end', frames: [END_FRAME, encodeData(list('x'))], error: /after the end/ },
  {
    name: 'an acknowledgement of what was not sent',
    frames: [encodeAck({ received: 9, limit: 0 })],
    error: /not sent/,
  },
  { name: 'what is no frame', frames: [Uint8Array.of(9)], error: /Unknown frame type/ },
]) {
  test(`a peer that sends ${name} is cut off`, { timeout }, async t => {
    const [nodes, services] = await start(t)
    const closed = once(services, 'service:closed')
    const stream = await newStream(nodes)
    stream.send(new Uint8ArrayList(openRequest('web'), ...frames))
    assert.match((await closed)[0].detail.error.message, error)
    await assertServes(nodes)
  })
}

test('nobody can go on with a session that another peer opened, nor with one that never was', {
  timeout,
}, async t => {
  const [nodes, services] = await start(t)
  const opened = await openService(nodes.openStream, 'web')
  const stranger = await connectTo(t, nodes)
  for (const [peer, session] of [
    [stranger, opened.id],
    [nodes, 'x'.repeat(22)],
  ] as const) {
    const refused = once(services, 'service:refused')
    const stream = await newStream(peer)
    stream.send(encodeRequest({ session, received: 0, limit: 1 }))
    assert.deepEqual(decodeResponse(await readMessage(stream)), { status: 'gone' })
    assert.equal((await refused)[0].detail.reason, 'gone')
    stream.abort(new Error('seen enough'))
  }
  opened.abort(new Error('done'))
})

test('one peer gets as many connections as the limit says, and is told so', { timeout }, async t => {
  const [nodes, services] = await start(t, { connectionsPerPeer: 2 })
  const first = await openService(nodes.openStream, 'web')
  const second = await openService(nodes.openStream, 'web')
  const refused = once(services, 'service:refused')
  await assert.rejects(openService(nodes.openStream, 'web'), {
    reason: 'service-down',
    message: /too many connections/,
  })
  assert.equal((await refused)[0].detail.reason, 'busy')

  const closed = once(services, 'service:closed')
  first.abort(new Error('done'))
  await closed
  const third = await openService(nodes.openStream, 'web')
  for (const stream of [second, third]) stream.abort(new Error('done'))
})

test('2000 silent streams take no more than their share, and only until the limit', { timeout }, async t => {
  // long enough for all of them to be open together: the listener takes some streams in each turn of its event loop
  const [nodes, services] = await start(t, { requestMs: 10_000 })
  // A connection that is still being set up on the other side is cut at the eleventh stream (yamux `maxEarlyStreams`).
  await assertServes(nodes)
  let silent = 0
  services.addEventListener('service:refused', event => (silent += event.detail.reason === 'silent' ? 1 : 0))
  const streams = await Promise.allSettled(Array.from({ length: 2000 }, () => newStream(nodes)))
  const open = streams.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  await Promise.all(open.filter(stream => stream.status === 'open').map(stream => once(stream, 'close')))
  // libp2p itself resets those above `tunnelHandlerOptions.maxInboundStreams`, of which no event tells.
  assert.ok(silent > 0 && silent <= 1536, `${silent} streams were served at a time`)
  await assertServes(nodes)
})

function list(text: string): Uint8ArrayList {
  return new Uint8ArrayList(Buffer.from(text))
}

function openRequest(service: string): Uint8Array {
  return encodeRequest({ service, session: randomBytes(16).toString('base64url') })
}

/** Asserts that an honest request is served. */
async function assertServes(nodes: Nodes): Promise<void> {
  const stream = await openService(nodes.openStream, 'web')
  const answered = answer(stream)
  stream.resume()
  stream.send(Buffer.from('hello'))
  await stream.close()
  assert.equal(await answered, 'hello')
}
