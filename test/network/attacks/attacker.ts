/** The attackers: raw sockets, and stock nodes that send any bytes at any step. */

import net from 'node:net'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { framed } from '../hop-client.ts'
import { once } from '../../waits.ts'
import type {
  Connection,
  ConnectionEncrypter,
  Libp2p,
  MessageStream,
  Stream,
  StreamMuxer,
} from '@libp2p/interface'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

type Context = Pick<TestContext, 'after'>

/** How long an attacker waits for the victim to end a stream or a socket, in milliseconds. */
const PATIENCE_MS = 400

/** Bytes that are sent at once; the victim ends most streams before the next. */
const PIECE_BYTES = 64 * 1024

/** Streams that an attacker has open together. Many protocols accept no more than 32. */
const PARALLEL = 8

/** What goes out before a protocol's own bytes: header and proposal, without waiting for an answer. */
export function proposal(protocol: string): Buffer {
  return Buffer.concat([framed(Buffer.from('/multistream/1.0.0\n')), framed(Buffer.from(`${protocol}\n`))])
}

/** A stock node. It opens as many streams as it likes, and identifies nobody. */
export async function startAttacker(t: Context): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ maxOutboundStreams: 1e6, maxInboundStreams: 1e6, maxEarlyStreams: 1e6 })],
    connectionMonitor: { enabled: false },
    services: { identify: identify({ runOnConnectionOpen: false }) },
  })
  t.after(() => node.stop())
  return node
}

/** Where an attacker listens. */
export function addrOf(node: Libp2p): string {
  return String(node.getMultiaddrs()[0])
}

/** A connection to the victim that is made again when the victim has ended it. */
export class AttackerConnection {
  readonly #node: Libp2p
  readonly #addr: string
  #connection: Connection | undefined

  constructor(node: Libp2p, addr: string) {
    this.#node = node
    this.#addr = addr
  }

  async connection(): Promise<Connection> {
    if (this.#connection?.status !== 'open')
      this.#connection = await this.#node.dial(multiaddr(this.#addr), { signal: AbortSignal.timeout(10_000) })
    return this.#connection
  }

  /** Sends these bytes on streams of their own; resolves when the victim has ended them, or says nothing more. */
  async send(bytes: Uint8Array, streams = 1): Promise<void> {
    const connection = (await this.connection()) as Connection & { muxer: StreamMuxer }
    for (let left = streams; left > 0 && connection.status === 'open'; left -= PARALLEL) {
      const group = Array.from({ length: Math.min(left, PARALLEL) }, async () =>
        sendAll(await connection.muxer.createStream(), bytes),
      )
      await Promise.allSettled(group)
    }
  }
}

/** Sends on a stream until all is sent, or the victim has ended it. Never rejects. */
export async function sendAll(stream: Stream, bytes: Uint8Array): Promise<void> {
  const ended = Promise.withResolvers<void>()
  stream.addEventListener('close', () => ended.resolve(), { once: true })
  stream.addEventListener('remoteCloseWrite', () => ended.resolve(), { once: true })
  const timer = setTimeout(() => ended.resolve(), PATIENCE_MS)
  stream.addEventListener('message', () => {})
  try {
    for (let at = 0; at < bytes.byteLength && stream.status === 'open'; at += PIECE_BYTES) {
      if (!stream.send(bytes.subarray(at, at + PIECE_BYTES)))
        await Promise.race([stream.onDrain(), ended.promise])
      if (at + PIECE_BYTES < bytes.byteLength) await new Promise(resolve => setImmediate(resolve))
    }
    await stream.close({ signal: AbortSignal.timeout(PATIENCE_MS) })
    await ended.promise
  } catch {
    // the victim has ended it
  } finally {
    clearTimeout(timer)
    if (stream.status === 'open') stream.abort(new Error('the attack is over'))
  }
}

/** Sends on a socket; resolves when the victim has ended it, or all was sent and it says nothing more. */
export async function attackSocket(port: number, bytes: Uint8Array): Promise<void> {
  const socket = net.connect(port, '127.0.0.1')
  socket.on('error', () => {})
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
  const timer = setTimeout(() => socket.destroy(), PATIENCE_MS)
  socket.resume().write(bytes)
  await closed
  clearTimeout(timer)
}

/** A listener that sends these bytes to each caller. */
export async function startListener(t: Context, bytes: () => Uint8Array): Promise<number> {
  const server = net.createServer(socket => {
    socket.on('error', () => {})
    socket.resume().write(bytes())
  })
  t.after(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** The encrypted connection of `@chainsafe/libp2p-noise`, and the socket beneath it. */
export interface Secured extends MessageStream {
  readonly handshake: { encrypt(message: Uint8Array): { subarray(): Uint8Array } }
  readonly stream: MessageStream
}

/** Connects to the victim, and sends after the Noise handshake, in place of a negotiation. Never rejects. */
export async function attackSecured(addr: string, send: (secured: Secured) => void): Promise<void> {
  const encrypter: ReturnType<typeof noise> = components => {
    const inner: ConnectionEncrypter = noise()(components)
    const secure = inner.secureOutbound.bind(inner)
    inner.secureOutbound = async (connection, options) => {
      const secured = await secure(connection, { ...options, skipStreamMuxerNegotiation: true })
      send(secured.connection as Secured)
      const closed = new Promise<void>(resolve =>
        connection.addEventListener('close', () => resolve(), { once: true }),
      )
      await Promise.race([closed, new Promise(resolve => setTimeout(resolve, PATIENCE_MS))])
      throw new Error('the attack is over')
    }
    return inner as ReturnType<ReturnType<typeof noise>>
  }
  const node = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [encrypter],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  })
  await node.dial(multiaddr(addr), { signal: AbortSignal.timeout(5_000) }).catch(() => {})
  await node.stop()
}

/** Has a node answer each stream that the victim opens with these bytes, in place of a negotiation. */
export function answerStreams(node: Libp2p, onStream: (stream: Stream) => void): void {
  node.addEventListener('connection:open', ({ detail }) => {
    const { muxer, onIncomingStream } = detail as Connection & {
      muxer: StreamMuxer
      onIncomingStream: (event: unknown) => void
    }
    muxer.removeEventListener('stream', onIncomingStream)
    muxer.addEventListener('stream', event => onStream(event.detail))
  })
}
