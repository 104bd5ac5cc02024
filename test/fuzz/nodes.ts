/** Hostile nodes of the live surfaces: one that opens streams, and one that speaks yamux by hand. */

import { setImmediate as turn } from 'node:timers/promises'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import { TypedEventEmitter } from 'main-event'
import { createPeer } from '../../peer/index.ts'
import { createRelay } from '../../relay/index.ts'
import { isCircuit } from '../../src/addresses/circuit.ts'
import { inTime, until } from '../waits.ts'
import type {
  Connection,
  Libp2p,
  MessageStream,
  PrivateKey,
  Stream,
  StreamMuxer,
  StreamMuxerEvents,
  StreamMuxerFactory,
} from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TestContext } from 'node:test'
import type { Peer } from '../../peer/index.ts'
import type { Relay } from '../../relay/index.ts'
import type { Input, Stage } from './surface.ts'

/** Longest wait for a victim that reads, in milliseconds. Not each closes a connection whose remote has ended its half. */
const READ_MS = 300

/** Inputs of one connection. Then the hostile node comes with a new one. */
const PER_CONNECTION = 200

/** The part of a test's context that the stages of test/network need. */
export function asTestContext(stage: Stage): TestContext {
  return stage as unknown as TestContext
}

/** Starts a relay that limits no rates: the fuzzer comes from one address. */
export async function startOpenRelay(stage: Stage, listen = '/ip4/127.0.0.1/tcp/0'): Promise<Relay> {
  const relay = await createRelay({ profile: 'custom', listen: [listen] })
  stage.after(() => relay.stop())
  return relay
}

/** Starts a peer without relays. Resolves with its address on loopback. */
export async function startLonePeer(stage: Stage): Promise<{ peer: Peer; addr: Multiaddr }> {
  const peer = await createPeer({ portMapping: false, reserve: false })
  stage.after(() => peer.stop())
  const addr = peer.libp2p
    .getMultiaddrs()
    .find(it => !isCircuit(it) && it.toString().startsWith('/ip4/127.0.0.1/'))
  if (addr === undefined) throw new Error('The peer does not listen on loopback')
  return { peer, addr }
}

/** Starts a plain node that listens nowhere. */
export async function startHostile(
  stage: Stage,
  {
    privateKey,
    muxer = yamux({ maxOutboundStreams: 1e6, maxInboundStreams: 1e6, maxEarlyStreams: 1e6 }),
    dialOpts = {},
  }: { privateKey?: PrivateKey; muxer?: () => StreamMuxerFactory; dialOpts?: { localAddress?: string } } = {},
): Promise<Libp2p> {
  const node = await createLibp2p({
    ...(privateKey === undefined ? {} : { privateKey }),
    transports: [tcp({ dialOpts: dialOpts as object })],
    connectionEncrypters: [noise()],
    streamMuxers: [muxer],
    connectionMonitor: { enabled: false },
  })
  stage.after(() => node.stop())
  return node
}

/** Connections of hostile nodes to one address, each of a new peer, and each for a number of inputs. */
export class HostileConnections {
  readonly #stage: Stage
  readonly #addr: Multiaddr
  #node: Libp2p | undefined
  #connection: Connection | undefined
  #used = 0

  constructor(stage: Stage, addr: Multiaddr) {
    this.#stage = stage
    this.#addr = addr
  }

  /** Opens a stream on the current connection. @throws {Error} if the victim has ended that, which no input of a stream may cause */
  async openStream(protocol: string): Promise<Stream> {
    if (this.#used++ % PER_CONNECTION === 0) await this.#renew()
    if (this.#connection?.status !== 'open') {
      this.#used = 0
      throw new Error('The connection was ended because of what came on a stream')
    }
    return this.#connection.newStream(protocol, {
      maxOutboundStreams: Infinity,
      runOnLimitedConnection: true,
      signal: AbortSignal.timeout(10_000),
    })
  }

  async #renew(): Promise<void> {
    await this.#node?.stop()
    this.#node = await startHostile(this.#stage)
    this.#connection = await this.#node.dial(this.#addr)
  }
}

/** Sends the pieces, one a turn, and ends this side. What is cut short stays so. */
export async function sendAll(stream: MessageStream, input: Input): Promise<void> {
  try {
    for (const piece of input) {
      if (piece.byteLength > 0) stream.send(piece)
      await turn()
    }
    await stream.close()
  } catch {
    // the victim was faster
  }
}

/** What came back on a stream until its end: the bytes, or the name of the error that cut it. */
export async function answerOf(stream: Stream): Promise<Buffer | string> {
  const chunks: Buffer[] = []
  const { promise, resolve } = Promise.withResolvers<Buffer | string>()
  stream.addEventListener('message', ({ data }) => void chunks.push(Buffer.from(data.subarray())))
  stream.addEventListener('remoteCloseWrite', () => resolve(Buffer.concat(chunks)))
  stream.addEventListener('close', ({ error }) => resolve(error?.name ?? Buffer.concat(chunks)))
  if (stream.status !== 'open') resolve(Buffer.concat(chunks))
  return inTime(promise, 'the stream is answered or reset')
}

let dials = 0

/** Another source address for each dial, because a victim bounds the rate of each. All of 127.0.0.0/8 is this machine. */
export function nextLoopback(): string {
  const n = dials++
  return `127.${1 + (n % 250)}.${Math.floor(n / 250) % 250}.${1 + (Math.floor(n / 62_500) % 250)}`
}

/** A multiplexer that leaves the encrypted connection to the fuzzer. */
class BareMuxer extends TypedEventEmitter<StreamMuxerEvents> implements StreamMuxer {
  readonly protocol = '/yamux/1.0.0'
  readonly streams: Stream[] = []
  status: StreamMuxer['status'] = 'open'
  readonly #connection: MessageStream

  constructor(connection: MessageStream) {
    super()
    this.#connection = connection
    connection.addEventListener('close', () => (this.status = 'closed'))
  }

  createStream(): never {
    throw new Error('This multiplexer has no streams')
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  abort(error: Error): void {
    this.#connection.abort(error)
  }
}

/** Makes multiplexers that hand over the encrypted connection and do nothing with it. */
export function bareMuxer(onConnection: (connection: MessageStream) => void): () => StreamMuxerFactory {
  return () => ({
    protocol: '/yamux/1.0.0',
    createStreamMuxer: connection => {
      onConnection(connection)
      return new BareMuxer(connection)
    },
  })
}

/**
 * Prepares connections over Noise, for one who writes the frames of the multiplexer by hand. What it resolves with sends bytes over a new
 * connection, and waits until the victim has let it go.
 */
export async function bareSender(
  stage: Stage,
  addr: Multiaddr,
  victim: Libp2p,
): Promise<(input: Input) => Promise<void>> {
  let bare: MessageStream | undefined
  // the transport reads them at each dial
  const dialOpts: { localAddress?: string } = {}
  const node = await startHostile(stage, { muxer: bareMuxer(opened => (bare = opened)), dialOpts })
  const isGone = (): boolean => victim.getConnections(node.peerId).length === 0
  return async input => {
    dialOpts.localAddress = nextLoopback()
    const connection = await node.dial(addr, { force: true, signal: AbortSignal.timeout(10_000) })
    if (bare === undefined) throw new Error('There is no multiplexer')
    await sendAll(bare, input)
    // it has read everything when it has read the end
    await until(isGone, 'the victim reads the end', READ_MS).catch(() => {})
    connection.abort(new Error('done'))
    await until(isGone, 'the victim lets the connection go')
  }
}
