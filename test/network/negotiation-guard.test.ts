/** A length without an end, wherever a protocol is negotiated: on a socket, on an encrypted connection, on a stream. */

import assert from 'node:assert/strict'
import net from 'node:net'
import { describe, it } from 'node:test'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { DCUTR_PROTOCOL } from '../../src/holepunch/exchange.ts'
import { assertCarries, connectCircuit, startPlain, startPunching, startRelay } from './circuit-stage.ts'
import { CONNECT, message, SYNC } from './dcutr-message.ts'
import { once } from '../waits.ts'
import type { Connection, ConnectionEncrypter, Stream, StreamMuxer } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { Relay } from '../../relay/index.ts'

const LIMIT = { timeout: 30_000 }

/** Long enough to keep a processor busy for seconds, were it read. */
const ENDLESS = Buffer.alloc(200_000, 0x80)

/** A tenth of what it takes to read them. */
const CPU_MICROSECONDS = 1_000_000

/** A circuit between innocents goes on carrying data; the relay answers within a moment. */
async function assertServes(t: TestContext, relay: Relay): Promise<void> {
  const [initiator, responder] = [await startPlain(t, relay), await startPlain(t, relay)]
  const { circuit } = await connectCircuit(initiator, responder, relay)
  await assertCarries(circuit)
}

describe('a length without an end ends', { concurrency: 4 }, () => {
  for (const [what, start] of [
    ['at once', ''],
    ['after the header', '\x13/multistream/1.0.0\n'],
  ] as const)
    it(`the socket where it comes before encryption, ${what}`, LIMIT, async t => {
      const relay = await startRelay(t)
      const port = Number(/\/tcp\/(\d+)/.exec(String(relay.addrs[0]))?.[1])
      const socket = net.connect(port, '127.0.0.1')
      t.after(() => socket.destroy())
      socket.on('error', () => {})
      socket.resume().write(start)
      socket.write(ENDLESS)
      // by a reset, of which `once` would make an error
      await new Promise(resolve => socket.once('close', resolve))
      await assertServes(t, relay)
    })

  it('the socket of a node that has our tcp() and the noise() that knows nothing of it', LIMIT, async t => {
    const relay = await startRelay(t)
    const node = await startPunching(t, relay, { announce: [] })
    const addr = node.getMultiaddrs().find(it => !it.toString().includes('p2p-circuit'))
    const socket = net.connect(Number(/\/tcp\/(\d+)/.exec(String(addr))?.[1]), '127.0.0.1')
    t.after(() => socket.destroy())
    socket.on('error', () => {})
    const startedAt = process.cpuUsage().user
    socket.resume().write(ENDLESS)
    await new Promise(resolve => socket.once('close', resolve))
    assert.ok(process.cpuUsage().user - startedAt < CPU_MICROSECONDS)
    const plain = await startPlain(t, relay)
    await assertCarries((await connectCircuit(plain, node, relay)).circuit)
  })

  for (const [name, encrypter] of [
    ['Noise', noise],
    ['TLS', tls],
  ] as const)
    it(`the connection where it comes before multiplexing, over ${name}`, LIMIT, async t => {
      const relay = await startRelay(t)
      const create = encrypter() as (components: never) => ConnectionEncrypter
      const closed = Promise.withResolvers<void>()
      const hostile = (components: never): ConnectionEncrypter => {
        const inner = create(components)
        const secure = inner.secureOutbound.bind(inner)
        inner.secureOutbound = async (connection, options) => {
          const secured = await secure(connection, { ...options, skipStreamMuxerNegotiation: true })
          secured.connection.send(ENDLESS)
          connection.addEventListener('close', () => closed.resolve())
          return secured
        }
        return inner
      }
      const node = await createLibp2p({
        transports: [tcp()],
        connectionEncrypters: [hostile as ReturnType<typeof noise>],
        streamMuxers: [yamux()],
      })
      t.after(() => node.stop())
      const dialled = node.dial(multiaddr(String(relay.addrs[0]))).catch(() => {})
      await closed.promise
      await dialled
      await assertServes(t, relay)
    })

  it('the stream where it comes on one', LIMIT, async t => {
    const relay = await startRelay(t)
    const node = await createLibp2p({
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
    })
    t.after(() => node.stop())
    const connection = (await node.dial(multiaddr(String(relay.addrs[0])))) as Connection & {
      muxer: StreamMuxer
    }
    const stream = await connection.muxer.createStream()
    const reset = once(stream, 'close', { signal: AbortSignal.timeout(5_000) })
    stream.send(ENDLESS)
    await reset
    assert.equal(connection.status, 'open')
    await assertServes(t, relay)
  })
})

describe('an exchange of DCUtR ends', { concurrency: 4 }, () => {
  const more: ReadonlyArray<[string, Buffer]> = [
    ['a length without an end', ENDLESS],
    [
      'a length without an end after a message',
      Buffer.concat([message(CONNECT, ['/ip4/11.0.0.1/tcp/1']), ENDLESS]),
    ],
    ['messages without an end', Buffer.concat(Array.from({ length: 50_000 }, () => message(SYNC)))],
  ]
  for (const [what, bytes] of more) {
    it(`that our node has opened, and is answered by ${what}`, LIMIT, async t => {
      const relay = await startRelay(t)
      const [own, remote] = [await startPunching(t, relay), await startPlain(t, relay)]
      const ended = Promise.withResolvers<number>()
      const onExchange = (stream: Stream): void => {
        const startedAt = process.cpuUsage().user
        stream.addEventListener('close', () => ended.resolve(process.cpuUsage().user - startedAt))
        stream.send(bytes)
      }
      await remote.handle(DCUTR_PROTOCOL, onExchange, { runOnLimitedConnection: true })
      const { circuit } = await connectCircuit(remote, own, relay)
      assert.ok((await ended.promise) < CPU_MICROSECONDS)
      await assertCarries(circuit)
    })

    it(`that our node answers, and that consists of ${what}`, LIMIT, async t => {
      const relay = await startRelay(t)
      const [own, remote] = [await startPunching(t, relay), await startPlain(t, relay)]
      const { circuit, accepted } = await connectCircuit(own, remote, relay)
      const stream = await accepted.newStream(DCUTR_PROTOCOL, { runOnLimitedConnection: true })
      const startedAt = process.cpuUsage().user
      const ended = once(stream, 'close', { signal: AbortSignal.timeout(10_000) })
      stream.send(bytes)
      await ended
      assert.ok(process.cpuUsage().user - startedAt < CPU_MICROSECONDS)
      await assertCarries(circuit)
    })
  }
})
