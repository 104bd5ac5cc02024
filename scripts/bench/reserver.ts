/**
 * A peer that does no more than hold a reservation: a TCP connection secured by libp2p's own noise and multiplexed by its own yamux, but no node
 * around it.
 *
 * To the relay it is a peer like any other, with an identity of its own: the handshake, the request and its answer are those
 * of the protocol, it answers the relay's pings, both those of yamux and those of `/ipfs/ping/1.0.0`, and tells who it is when
 * asked by `/ipfs/id/1.0.0`. What it leaves out is what it might ask of the relay itself: it pings and identifies it only
 * when told to, and it has no signed peer record to tell.
 */

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { RELAY_V2_HOP_CODEC } from '@libp2p/circuit-relay-v2'
import { publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { defaultLogger } from '@libp2p/logger'
import * as multistream from '@libp2p/multistream-select'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { lpStream, pbStream } from '@libp2p/utils'
import { HopMessage, HopType, Status } from '../../src/protocols/circuit-relay/messages.ts'
import { bytes, messageType, repeated } from '../../src/protocols/protobuf.ts'
import { ephemeralIdentity } from '../../src/files/identity.ts'
import type { Connection, MultiaddrConnection, Stream, StreamMuxer, Upgrader } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

const IDENTIFY = '/ipfs/id/1.0.0'
const PING = '/ipfs/ping/1.0.0'
const REQUEST_TIMEOUT_MS = 30_000

/** What it says of itself, as in https://github.com/libp2p/specs/blob/master/identify/README.md */
const Identify = messageType({ publicKey: bytes(1), protocols: repeated(bytes(3)), agentVersion: bytes(6) })

const logger = defaultLogger()
const transport = tcp({ outboundSocketInactivityTimeout: 0 })({ logger } as never)

/** A connected peer. */
export class Reserver {
  readonly #connection: MultiaddrConnection
  readonly #muxer: StreamMuxer
  readonly #identity: Uint8Array

  private constructor(muxer: StreamMuxer, identity: Uint8Array, connection: MultiaddrConnection) {
    this.#connection = connection
    this.#muxer = muxer
    this.#identity = identity
    muxer.addEventListener(
      'stream',
      ({ detail }) => void this.#answer(detail).catch(() => detail.abort(new Error())),
    )
  }

  /** Connects; `localAddress` is where from, `keepAliveMs` how often yamux pings, where 0 is never. */
  static async connect(relayAddr: Multiaddr, localAddress: string, keepAliveMs: number): Promise<Reserver> {
    const privateKey = await ephemeralIdentity()
    const muxer = yamux(keepAliveMs > 0 ? { keepAliveInterval: keepAliveMs } : { enableKeepAlive: false })()
    const upgrader = { getStreamMuxers: () => new Map([[muxer.protocol, muxer]]) } as unknown as Upgrader
    const secure = noise()({ peerId: peerIdFromPrivateKey(privateKey), privateKey, logger, upgrader })
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS)
    const identity = Identify.encode({
      publicKey: publicKeyToProtobuf(privateKey.publicKey),
      protocols: [IDENTIFY, PING, RELAY_V2_HOP_CODEC].map(protocol => Buffer.from(protocol)),
      agentVersion: Buffer.from('throughnat/bench'),
    })
    const upgradeOutbound = async (connection: MultiaddrConnection): Promise<Connection> => {
      await multistream.select(connection, ['/noise'], { signal })
      const { connection: secured, streamMuxer } = await secure.secureOutbound(connection, { signal })
      if (streamMuxer === undefined) throw new Error('the relay chose no multiplexer with the handshake')
      // the transport hands on whatever an upgrade makes
      return new Reserver(streamMuxer.createStreamMuxer(secured), identity, connection) as never
    }
    // net.connect keeps the signal: one that fired later would end the connection
    const { signal: dialSignal } = new AbortController()
    const options = { upgrader: { upgradeOutbound } as unknown as Upgrader, signal: dialSignal, localAddress }
    return (await transport.dial(relayAddr, options)) as unknown as Reserver
  }

  /** Whether the connection is gone. */
  get hasEnded(): boolean {
    return this.#connection.status !== 'open'
  }

  /** Cuts the connection. */
  leave(): void {
    this.#connection.abort(new Error('it leaves'))
  }

  /** Asks for a reservation, or again for the one that is held. */
  async reserve(): Promise<void> {
    const stream = await this.#open(RELAY_V2_HOP_CODEC)
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS)
    const messages = pbStream(stream)
    await messages.write({ type: HopType.RESERVE }, HopMessage, { signal })
    const { status } = await messages.read(HopMessage, { signal })
    if (status !== Status.OK) throw new Error(`the relay answered ${status}`)
    await stream.close({ signal })
  }

  /** Asks who the relay is. */
  async identify(): Promise<void> {
    const stream = await this.#open(IDENTIFY)
    await lpStream(stream).read({ signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) })
    await stream.close()
  }

  /** Pings once, as libp2p's connection monitor does. */
  async ping(): Promise<void> {
    const stream = await this.#open(PING)
    const answered = new Promise<void>(resolve => {
      stream.addEventListener('message', () => resolve(), { once: true })
      stream.addEventListener('close', () => resolve(), { once: true })
    })
    stream.send(Buffer.alloc(32, 1))
    await answered
    await stream.close()
  }

  async #open(protocol: string): Promise<Stream> {
    const stream = await this.#muxer.createStream()
    stream.protocol = await multistream.select(stream, [protocol], {
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    })
    return stream
  }

  async #answer(stream: Stream): Promise<void> {
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS)
    const protocol = await multistream.handle(stream, [PING, IDENTIFY], { signal })
    if (protocol === IDENTIFY) {
      await lpStream(stream).write(this.#identity, { signal })
    } else {
      for await (const data of stream) stream.send(data)
    }
    await stream.close({ signal })
  }
}
