/** Which sessions the listening side goes on with, and which it does not, without any network. */
import { strict as assert } from 'node:assert'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { streamPair } from '@libp2p/utils'
import { Uint8ArrayList } from 'uint8arraylist'
import { readMessage } from '../../../../../peer/tunnel/wire/message.ts'
import { decodeResponse, encodeRequest } from '../../../../../peer/tunnel/wire/protocol.ts'
import { CUT_FRAME, encodeAck, END_FRAME } from '../../../../../peer/tunnel/resume/frames.ts'
import { START } from '../../../../../peer/tunnel/resume/receive-window.ts'
import { createServices } from '../../../../../peer/tunnel/listener/services.ts'
import { connection, session, silentService } from '../listener/caller.ts'
import { once } from '../../../../waits.ts'
import type { AddressInfo } from 'node:net'
import type { Stream } from '@libp2p/interface'

test('who asks for a connection that is being let in, having lost its path, waits and goes on with it', async t => {
  const address = await silentService(t)
  const { promise: isKnown, resolve: know } = Promise.withResolvers<undefined>()
  const services = createServices({
    services: new Map([['ssh', address]]),
    allow: new Map(),
    tickets: { look: () => ({ id: 'one' }), count: async () => isKnown, isRevoked: () => false },
  })
  let opened = 0
  services.addEventListener('service:opened', () => opened++)
  const [lost, ofLost] = await streamPair()
  const handled = [services.handle(ofLost, connection)]
  lost.send(encodeRequest({ service: 'ssh', session, ticket: 'right' }))
  const [next, ofNext] = await streamPair()
  handled.push(services.handle(ofNext, connection))
  const answer = readMessage(next)
  next.send(encodeRequest({ session, ...START }))
  know(undefined)
  assert.deepEqual(decodeResponse(await answer), { status: 'ok', position: START })
  assert.equal(opened, 1)
  await services.stop()
  await Promise.all(handled)
})

test('a session that goes on over a carrier that was reset by then is kept for as long as any other', async t => {
  const { promise: isCounted, resolve: count } = Promise.withResolvers<undefined>()
  const services = createServices({
    services: new Map([['ssh', await silentService(t)]]),
    allow: new Map(),
    tickets: { look: () => ({ id: 'one' }), count: async () => isCounted, isRevoked: () => false },
    limits: { keptMs: 50 },
  })
  const [first, ofFirst] = await streamPair()
  const handled = services.handle(ofFirst, connection)
  first.send(encodeRequest({ service: 'ssh', session, ticket: 'right' }))
  const [dead, ofDead] = await streamPair()
  const asked = services.handle(ofDead, connection)
  dead.send(encodeRequest({ session, ...START }))
  await once(ofDead, 'message')
  dead.abort(new Error('reset while it waits for the service to accept'))
  await once(ofDead, 'close')
  const closed = once(services, 'service:closed')
  count(undefined)
  await asked
  assert.match((await closed)[0].detail.error.message, /did not resume the connection/)
  await handled
})

test('a request to resume a session that was refused does not wait for the refusal to be read', async () => {
  const services = createServices({ services: new Map(), allow: new Map(), limits: { requestMs: 60_000 } })
  const [first, ofFirst] = await streamPair()
  const handled = [services.handle(ofFirst, connection)]
  first.send(encodeRequest({ service: 'ssh', session }))
  assert.equal(decodeResponse(await readMessage(first)).status, 'refused')
  const [next, ofNext] = await streamPair()
  handled.push(services.handle(ofNext, connection))
  next.send(encodeRequest({ session, ...START }))
  const signal = AbortSignal.timeout(5_000)
  assert.equal(decodeResponse(await readMessage(next, { signal })).status, 'gone')
  assert.equal(first.status, 'open')
  await services.stop()
  await Promise.all(handled)
})

test('a session cannot be opened twice, though one of that name was refused meanwhile', async t => {
  const { promise: isCounted, resolve: count } = Promise.withResolvers<undefined>()
  const services = createServices({
    services: new Map([['ssh', await silentService(t)]]),
    allow: new Map(),
    tickets: {
      look: secret => (secret === 'right' ? { id: 'one' } : 'ticket-unknown'),
      count: async () => isCounted,
      isRevoked: () => false,
    },
  })
  const open = async (ticket: string): Promise<{ stream: Stream; handled: Promise<void> }> => {
    const [outbound, inbound] = await streamPair()
    const handled = services.handle(inbound, connection)
    outbound.send(encodeRequest({ service: 'ssh', session, ticket }))
    return { stream: outbound, handled }
  }
  const refused = await open('wrong')
  assert.equal(decodeResponse(await readMessage(refused.stream)).status, 'refused')
  const first = await open('right')
  refused.stream.abort(new Error('seen'))
  await refused.handled
  const second = await open('right')
  assert.equal(decodeResponse(await readMessage(second.stream)).status, 'malformed')
  count(undefined)
  assert.equal(decodeResponse(await readMessage(first.stream)).status, 'ok')
  await services.stop()
})

test('a connection that has ended and was cut at once is not remembered', async t => {
  const server = createServer(socket => socket.on('error', () => {}).end()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const services = createServices({
    services: new Map([['ssh', { host: '127.0.0.1', port: (server.address() as AddressInfo).port }]]),
    allow: new Map([['ssh', 'anyone' as const]]),
  })
  const [outbound, inbound] = await streamPair()
  const handled = services.handle(inbound, connection)
  outbound.send(encodeRequest({ service: 'ssh', session }))
  await readMessage(outbound)
  const ended = once(outbound, 'message')
  outbound.resume()
  assert.deepEqual(Buffer.from((await ended)[0].data.subarray()), Buffer.from(END_FRAME))
  const closed = once(services, 'service:closed')
  // its end, all acknowledged, and the cut
  outbound.send(new Uint8ArrayList(END_FRAME, encodeAck({ received: 1, limit: 9 }), CUT_FRAME))
  await closed
  await handled
  const [next, ofNext] = await streamPair()
  void services.handle(ofNext, connection)
  next.send(encodeRequest({ session, received: 1, limit: 9 }))
  assert.equal(decodeResponse(await readMessage(next)).status, 'gone')
  await services.stop()
})
