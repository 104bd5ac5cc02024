/**
 * One end of the circuits under measurement: many peers in one process, which send or which receive.
 *
 * They speak circuit-relay v2 by hand, and the bytes go over the circuit as they are: encryption from end to end costs the ends
 * more than all else and the relay nothing, so it would hide what is to be compared. With `isEndToEnd` they do what peers
 * do, which is a libp2p connection over the circuit.
 */

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { RELAY_V2_HOP_CODEC, RELAY_V2_STOP_CODEC, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { tcp } from '@libp2p/tcp'
import { peerIdFromString } from '@libp2p/peer-id'
import { pbStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { HopType, Status, StopMessage, StopType } from '../../src/protocols/circuit-relay/messages.ts'
import { ephemeralIdentity } from '../../src/files/identity.ts'
import { commonOptions } from '../../src/node/stack.ts'
import { requestOf } from './hop-request.ts'
import { encryptersOf } from './encrypters.ts'
import { startProfile, stopProfile } from './profile.ts'
import { programOptions, serve } from './serve.ts'
import { usage } from './usage.ts'
import type { Libp2p, Stream } from '@libp2p/interface'
import type { AddressInfo } from 'node:net'
import type { EncrypterName } from './encrypters.ts'

interface CircuitEndOptions {
  encrypters?: EncrypterName[] | undefined
  isEndToEnd: boolean
}

/** What receives: libp2p peers, or a port for plain TCP. */
export interface Receivers {
  peers: string[]
  port: number
}

/** Bytes, from the first of them to the last. */
export interface Received {
  bytes: number
  ms: number
}

/** What can be written to, be it a stream or a socket. */
interface Sink {
  send(data: Uint8Array): boolean
  drained(): Promise<void>
  end(): Promise<void>
}

const BENCH_PROTOCOL = '/throughnat/bench/1'
const CHUNK = Buffer.alloc(64 * 1024, 7)

const { encrypters, isEndToEnd } = programOptions<CircuitEndOptions>()
/** By the relay's address. */
const nodes = new Map<string, Libp2p[]>()
let receiving = { bytes: 0, expected: Infinity, firstAt: 0, lastAt: 0, isDone: Promise.withResolvers<void>() }

serve({ receive, connectTo, expect, received, send, usage, startProfile, stopProfile })

async function receive({ relayAddr, peers }: { relayAddr: string; peers: number }): Promise<Receivers> {
  if (relayAddr === '') return { peers: [], port: await receivePlain() }
  const made: Libp2p[] = []
  for (let i = 0; i < peers; i++) made.push(await startReceiver(relayAddr))
  nodes.set(relayAddr, made)
  return { peers: made.map(({ peerId }) => peerId.toString()), port: 0 }
}

async function connectTo({ relayAddr, peers }: { relayAddr: string; peers: number }): Promise<void> {
  const made: Libp2p[] = []
  for (let i = 0; i < peers; i++) {
    const node = await startNode([])
    await node.dial(multiaddr(relayAddr))
    made.push(node)
  }
  nodes.set(relayAddr, made)
}

function expect({ bytes }: { bytes: number }): void {
  receiving = { bytes: 0, expected: bytes, firstAt: 0, lastAt: 0, isDone: Promise.withResolvers<void>() }
}

async function received(): Promise<Received> {
  await receiving.isDone.promise
  return { bytes: receiving.bytes, ms: receiving.lastAt - receiving.firstAt }
}

/** Sends so many bytes over each of so many circuits at once. */
async function send(args: {
  relayAddr: string
  forwarderPort: number
  receivers: Receivers
  circuits: number
  bytesEach: number
}): Promise<void> {
  const open = async (i: number): Promise<Sink> =>
    args.relayAddr === ''
      ? openPlain(args.forwarderPort)
      : openCircuit(args.relayAddr, nodes.get(args.relayAddr)![i]!, args.receivers.peers[i]!)
  const sinks = await Promise.all(Array.from({ length: args.circuits }, (_, i) => open(i)))
  await Promise.all(sinks.map(sink => pump(sink, args.bytesEach)))
}

async function pump(sink: Sink, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= CHUNK.length) {
    const canTakeMore = sink.send(left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK)
    if (!canTakeMore) await sink.drained()
  }
  await sink.end()
}

function count(bytes: number): void {
  receiving.lastAt = performance.now()
  if (receiving.bytes === 0) receiving.firstAt = receiving.lastAt
  receiving.bytes += bytes
  if (receiving.bytes >= receiving.expected) receiving.isDone.resolve()
}

async function startNode(listen: string[]): Promise<Libp2p> {
  const common = commonOptions({ privateKey: await ephemeralIdentity() })
  return createLibp2p({
    ...common,
    ...(encrypters === undefined ? {} : { connectionEncrypters: encryptersOf(encrypters) }),
    addresses: { listen },
    transports: [tcp(), ...(isEndToEnd ? [circuitRelayTransport()] : [])],
    connectionMonitor: { enabled: false },
  })
}

async function startReceiver(relayAddr: string): Promise<Libp2p> {
  const node = await startNode(isEndToEnd ? [`${relayAddr}/p2p-circuit`] : [])
  const take = (stream: Stream): void => {
    stream.addEventListener('message', ({ data }) => count(data.byteLength))
    stream.addEventListener('remoteCloseWrite', () => void stream.close().catch(() => {}))
  }
  if (isEndToEnd) {
    await node.handle(BENCH_PROTOCOL, take, { runOnLimitedConnection: true })
    return node
  }
  await node.handle(RELAY_V2_STOP_CODEC, async stream => {
    const messages = pbStream(stream)
    await messages.read(StopMessage)
    await messages.write({ type: StopType.STATUS, status: Status.OK }, StopMessage)
    take(messages.unwrap())
  })
  const connection = await node.dial(multiaddr(relayAddr))
  const stream = await connection.newStream(RELAY_V2_HOP_CODEC)
  await requestOf(stream, { type: HopType.RESERVE })
  await stream.close()
  return node
}

async function openCircuit(relayAddr: string, node: Libp2p, peer: string): Promise<Sink> {
  if (isEndToEnd) {
    const connection = await node.dial(multiaddr(`${relayAddr}/p2p-circuit/p2p/${peer}`))
    return sinkOf(await connection.newStream(BENCH_PROTOCOL, { runOnLimitedConnection: true }))
  }
  const [connection] = node.getConnections()
  const stream = await connection!.newStream(RELAY_V2_HOP_CODEC)
  const id = peerIdFromString(peer).toMultihash().bytes
  return sinkOf(await requestOf(stream, { type: HopType.CONNECT, peer: { id, addrs: [] } }))
}

function sinkOf(stream: Stream): Sink {
  return {
    send: data => stream.send(data),
    drained: async () => {
      // what a window update makes room for may be filled by the stream's own backlog
      while (stream.writableNeedsDrain) await once(stream, 'drain')
    },
    end: async () => stream.close(),
  }
}

async function openPlain(port: number): Promise<Sink> {
  const socket = connect({ port, host: '127.0.0.1' })
  await once(socket, 'connect')
  return {
    send: data => socket.write(data),
    drained: async () => {
      await once(socket, 'drain')
    },
    end: async () => new Promise(resolve => socket.end(resolve)),
  }
}

async function receivePlain(): Promise<number> {
  const server = createServer(socket => socket.on('data', data => count(data.length)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
