import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { describe, it } from 'node:test'
import { defaultLogger } from '@libp2p/logger'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { closeAborted } from '../../../../../src/patches/libp2p-websockets/dialled-sockets.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import type { MultiaddrConnection, Transport, Upgrader } from '@libp2p/interface'
import type { WebSocketsComponents } from '@libp2p/websockets'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }

const stock = (transport: Transport): Transport => transport

describe('@libp2p/websockets', LIMIT, () => {
  it('leaves the socket of an aborted dial open, which is the fault', async t => {
    const { connection, remote } = await dial(t, stock)
    connection.abort(new Error('given up'))
    remote.write(Buffer.of(0x82, 1, 0))
    // the WebSocket answers a ping as if nothing had happened
    remote.write(Buffer.of(0x89, 0))
    const [answer] = (await once(remote, 'data')) as [Buffer]
    assert.equal(answer[0], 0x8a)
    assert.equal(remote.destroyed, false)
  })
})

describe('closeAborted()', LIMIT, () => {
  it('closes the socket of a dial that is aborted', async t => {
    const { connection, remote } = await dial(t, closeAborted)
    const closed = ended(remote)
    connection.abort(new Error('given up'))
    await closed
  })

  for (const [what, frame] of [
    ['messages of a byte', Buffer.of(0x82, 1, 0)],
    ['empty messages', Buffer.of(0x82, 0)],
    ['pings', Buffer.of(0x89, 0)],
    ['pongs', Buffer.of(0x8a, 0)],
  ] as const)
    it(`closes the socket of a remote that sends many ${what}`, async t => {
      const { connection, remote } = await dial(t, closeAborted)
      connection.addEventListener('message', () => {})
      const closed = ended(remote)
      remote.write(Buffer.concat(Array.from({ length: 5_000 }, () => frame)))
      await closed
    })

  it('passes on what a remote sends in order, and the other way', async t => {
    const { connection, remote } = await dial(t, closeAborted)
    const received: Uint8Array[] = []
    connection.addEventListener('message', ({ data }) => received.push(data.subarray()))
    for (let n = 0; n < 500; n++) remote.write(Buffer.concat([Buffer.of(0x82, 8), Buffer.alloc(8, n)]))
    await until(() => Buffer.concat(received).byteLength === 4_000)
    for (let n = 0; n < 500; n++) assert.equal(Buffer.concat(received)[n * 8], n & 255)
    const heard = once(remote, 'data')
    connection.send(Buffer.from('hello'))
    await heard
  })

  refusesWithout('@libp2p/websockets', { dial: () => {} }, closeAborted)

  refusesWithout('@libp2p/websockets', { websocket: {}, sendReset: () => {} }, async connection => {
    const upgrader = { upgradeOutbound: async () => {} }
    const transport = {
      dial: async (_: unknown, options: { upgrader: Upgrader }) =>
        options.upgrader.upgradeOutbound(connection, {} as never),
    }
    await closeAborted(transport as unknown as Transport).dial(multiaddr('/ip4/127.0.0.1/tcp/1/ws'), {
      upgrader,
    } as never)
  })
})

/** Resolves when the other side has closed the socket, or has reset it. */
async function ended(remote: Duplex): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  for (const event of ['end', 'close']) remote.once(event, resolve)
  remote.resume()
  await promise
}

/** Dials a remote that speaks by hand. Resolves with both ends. */
async function dial(
  t: TestContext,
  patch: (transport: Transport) => Transport,
): Promise<{ connection: MultiaddrConnection; remote: Duplex }> {
  const server = http.createServer()
  const upgraded = Promise.withResolvers<Duplex>()
  server.on('upgrade', ({ headers }, socket) => {
    socket.on('error', () => {})
    t.after(() => socket.destroy())
    const key = `${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
    const accept = createHash('sha1').update(key).digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    )
    upgraded.resolve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const components = { logger: defaultLogger(), events: new EventTarget() } as unknown as WebSocketsComponents
  const transport = patch(webSockets()(components))
  const upgradeOutbound = async (connection: MultiaddrConnection): Promise<MultiaddrConnection> => connection
  const { port } = server.address() as AddressInfo
  const connection = await transport.dial(multiaddr(`/ip4/127.0.0.1/tcp/${port}/ws`), {
    upgrader: { upgradeOutbound } as unknown as Upgrader,
    signal: AbortSignal.timeout(10_000),
  })
  return { connection: connection as unknown as MultiaddrConnection, remote: await upgraded.promise }
}
