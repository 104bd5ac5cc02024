/** TLS on the socket itself: it speaks with every other TLS, and is closed, reset, paused and flushed as a socket is. */

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { yamux } from '@chainsafe/libp2p-yamux'
import { tcp as stockTcp } from '@libp2p/tcp'
import { tls as stockTls } from '@libp2p/tls'
import { webSockets } from '@libp2p/websockets'
import { createLibp2p } from 'libp2p'
import { tls } from '../../src/encryption/tls.ts'
import { muxer } from '../../src/muxer/muxer.ts'
import { tcp } from '../../src/transport/shared-port-tcp.ts'
import { once } from '../waits.ts'
import type { Libp2p, Stream } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }
const DIGEST = '/test/digest/1'
const BYTES = '/test/bytes/1'
const ENOUGH = 24 * 1024 * 1024

/** Around the 16 KiB of a record, and more than a window. */
const SIZES = [1, 100, 16_383, 16_384, 16_385, 1_000_000]

interface Parts {
  transport: typeof tcp | typeof stockTcp | typeof webSockets
  encrypter: typeof tls | typeof stockTls
  muxer: typeof muxer | typeof yamux
}

const OURS: Parts = { transport: tcp, encrypter: tls, muxer }
const STOCK: Parts = { transport: stockTcp, encrypter: stockTls, muxer: yamux }
const DROP_IN: Parts = { ...STOCK, encrypter: tls }
const WEB_SOCKET: Parts = { ...STOCK, transport: webSockets, encrypter: tls }

async function start(t: TestContext, parts: Parts): Promise<Libp2p> {
  const isWebSocket = parts.transport === webSockets
  const node = await createLibp2p({
    addresses: { listen: [`/ip4/127.0.0.1/tcp/0${isWebSocket ? '/ws' : ''}`] },
    transports: [parts.transport()],
    connectionEncrypters: [parts.encrypter()],
    streamMuxers: [parts.muxer()],
  })
  t.after(() => node.stop())
  await node.handle(DIGEST, async stream => {
    const hash = createHash('sha256')
    for await (const data of stream) hash.update(data.subarray())
    stream.send(hash.digest())
    await stream.close()
  })
  await node.handle(BYTES, async stream => {
    for (let sent = 0; sent < ENOUGH; sent += 65_536)
      if (!stream.send(Buffer.alloc(65_536, 7))) await stream.onDrain()
    await stream.close()
  })
  return node
}

for (const [what, dialer, listener] of [
  ['both sides', OURS, OURS],
  ['the dialer alone', OURS, STOCK],
  ['the listener alone', STOCK, OURS],
  ['a dialer with the transport of js-libp2p', DROP_IN, STOCK],
  ['a listener with the transport of js-libp2p', STOCK, DROP_IN],
  ['both sides, over WebSocket', WEB_SOCKET, WEB_SOCKET],
  ['the dialer alone, over WebSocket', WEB_SOCKET, { ...WEB_SOCKET, encrypter: stockTls }],
] as const)
  it(`carries messages of every size with ${what}`, LIMIT, async t => {
    const [from, to] = [await start(t, dialer), await start(t, listener)]
    for (const size of SIZES) {
      const bytes = randomBytes(size)
      const stream = await from.dialProtocol(to.getMultiaddrs(), DIGEST)
      stream.send(bytes)
      await stream.close()
      assert.equal(await read(stream), createHash('sha256').update(bytes).digest('hex'))
    }
    const [connection] = from.getConnections()
    assert.equal(connection?.encryption, '/tls/1.0.0')
    assert.equal(connection?.multiplexer, '/yamux/1.0.0')
    assert.equal(connection?.remotePeer.toString(), to.peerId.toString())
  })

async function read(stream: Stream): Promise<string> {
  const parts: Buffer[] = []
  for await (const data of stream) parts.push(Buffer.from(data.subarray()))
  return Buffer.concat(parts).toString('hex')
}

describe('a connection', () => {
  it('makes a writer wait for a reader that has paused', LIMIT, async t => {
    const [from, to] = [await start(t, OURS), await start(t, OURS)]
    const stream = await from.dialProtocol(to.getMultiaddrs(), BYTES)
    stream.pause()
    let received = 0
    stream.addEventListener('message', ({ data }) => (received += data.byteLength))
    const ended = once(stream, 'remoteCloseWrite', { signal: AbortSignal.timeout(20_000) })
    stream.resume()
    await ended
    assert.equal(received, ENOUGH)
  })

  for (const [what, dialer, listener] of [
    ['with ours at both ends', OURS, OURS],
    ['with stock at the other end', OURS, STOCK],
    ['with stock at the closing end', STOCK, OURS],
  ] as const)
    it(`that is closed is closed without an error at the other end, ${what}`, LIMIT, async t => {
      const [from, to] = [await start(t, dialer), await start(t, listener)]
      const connection = await from.dial(to.getMultiaddrs())
      await connection.newStream(DIGEST).then(async stream => stream.close())
      const [there] = to.getConnections()
      assert.ok(there)
      const closed = once(there, 'close', { signal: AbortSignal.timeout(10_000) })
      await connection.close()
      const [event] = (await closed) as unknown as [{ error?: Error }]
      assert.equal(event.error, undefined)
    })

  it('that is aborted is closed at the other end', LIMIT, async t => {
    const [from, to] = [await start(t, OURS), await start(t, OURS)]
    const connection = await from.dial(to.getMultiaddrs())
    await connection.newStream(DIGEST)
    const [there] = to.getConnections()
    assert.ok(there)
    const closed = once(there, 'close', { signal: AbortSignal.timeout(10_000) })
    connection.abort(new Error('test'))
    await closed
  })
})
