import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { askAboutSockets } from '../../../../../src/patches/libp2p-websockets/accepted-sockets.ts'
import { joinMessages, MessageBudget } from '../../../../../src/patches/libp2p-websockets/small-messages.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { createListener, createListenerFor, listen, upgraderFor } from './listening.ts'
import type { Listener, MultiaddrConnection } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }

/** As many messages as are free of charge. */
const FREE = 1_024

type Accept = (connection: MultiaddrConnection) => void

const stock = (accept: Accept): Listener => createListener(accept)

const patched = (accept: Accept): Listener =>
  askAboutSockets(upgraderFor(accept), createListenerFor, {
    onSocket: () => ({}),
    onConnection: () => {},
    keepAliveMs: 30_000,
  })

describe('@libp2p/websockets', LIMIT, () => {
  it('passes each message on by itself, which is the fault', async t => {
    const { webSocket, events } = await connect(t, stock)
    for (let n = 0; n < 3_000; n++) webSocket.send('x')
    await until(() => events.bytes === 3_000)
    assert.equal(events.count, 3_000)
  })
})

describe('joinMessages()', LIMIT, () => {
  it('passes on what was read together in fewer pieces, in order', async t => {
    const { webSocket, events, received } = await connect(t, patched)
    const sent: Buffer[] = []
    for (let n = 0; n < 1_000; n++) sent.push(Buffer.alloc(n % 7 === 0 ? 2_000 : 8, n))
    for (const message of sent) webSocket.send(message)
    const all = Buffer.concat(sent)
    await until(() => events.bytes === all.byteLength)
    assert.ok(events.count < 500, `${events.count}`)
    assert.deepEqual(Buffer.concat(received), all)
  })

  it('passes on the last messages before the end', async t => {
    const { webSocket, events, connection } = await connect(t, patched)
    const ended = once(connection as never, 'close')
    for (let n = 0; n < 10; n++) webSocket.send('last')
    webSocket.close()
    await ended
    assert.equal(events.bytes, 40)
  })

  it('ends a WebSocket of many messages of a byte', async t => {
    const { webSocket } = await connect(t, patched)
    const closed = once(webSocket, 'close') as Promise<[CloseEvent]>
    for (let n = 0; n < FREE * 2; n++) webSocket.send('x')
    const [{ wasClean }] = await closed
    assert.equal(wasClean, false)
  })

  it('ends a WebSocket of many messages that are empty', async t => {
    const { webSocket } = await connect(t, patched)
    const closed = once(webSocket, 'close')
    for (let n = 0; n < FREE * 2; n++) webSocket.send('')
    await closed
  })

  it('lets the parts in which js-libp2p sends its messages pass, without end', async t => {
    const { webSocket, events } = await connect(t, patched)
    for (let n = 0; n < 10_000; n++) for (const size of [2, 12, 1, 16]) webSocket.send(Buffer.alloc(size))
    await until(() => events.bytes === 310_000)
    assert.equal(webSocket.readyState, WebSocket.OPEN)
  })

  const members = { onData: () => {}, onRemoteReset: () => {}, onTransportClosed: () => {} }
  refusesWithout('@libp2p/utils', members, connection =>
    joinMessages(connection, new MessageBudget(() => {})),
  )
})

describe('MessageBudget', () => {
  it('counts pings and pongs as messages of nothing', () => {
    let isEnded = false
    const budget = new MessageBudget(() => (isEnded = true))
    for (let n = 0; n < FREE; n++) assert.ok(budget.note(0))
    assert.equal(isEnded, false)
    assert.equal(budget.note(0), false)
    assert.ok(isEnded)
  })
})

async function connect(t: TestContext, create: (accept: Accept) => Listener) {
  const accepted = Promise.withResolvers<MultiaddrConnection>()
  const events = { count: 0, bytes: 0 }
  const received: Uint8Array[] = []
  const listener = create(connection => {
    connection.addEventListener('message', ({ data }) => {
      events.count++
      events.bytes += data.byteLength
      received.push(data.subarray())
    })
    accepted.resolve(connection)
  })
  const port = await listen(t, listener)
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}`)
  webSocket.addEventListener('error', () => {})
  await once(webSocket, 'open')
  return { webSocket, events, received, connection: await accepted.promise }
}
