/** A client of circuit-relay v2 that is written by hand, byte by byte, on a plain node: it can say anything. */

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { createLibp2p } from 'libp2p'
import { once } from '../waits.ts'
import type { Connection, Libp2p, PeerId, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TypedEventTarget } from 'main-event'
import type { TestContext } from 'node:test'
import type { RelayEvents } from '../../relay/index.ts'

export const HOP = '/libp2p/circuit/relay/0.2.0/hop'
export const STOP = '/libp2p/circuit/relay/0.2.0/stop'

/** For one answer, or one event. */
const PATIENCE_MS = 20_000

/** A protobuf message: the values of each field by its number. */
export type Fields = Map<number, Array<number | Buffer>>

/** A number as protobuf writes it. */
function varint(value: number): Buffer {
  const low = value % 128
  return value < 128 ? Buffer.of(low) : Buffer.concat([Buffer.of(low | 128), varint(Math.floor(value / 128))])
}

/** A field that is a number, or bytes. */
export function field(number: number, value: number | Uint8Array): Buffer {
  if (typeof value === 'number') return Buffer.concat([varint(number << 3), varint(value)])
  return Buffer.concat([varint((number << 3) | 2), varint(value.byteLength), value])
}

/** A message with its length before it. */
export function framed(body: Uint8Array): Buffer {
  return Buffer.concat([varint(body.byteLength), body])
}

export const RESERVE: Buffer = framed(Buffer.of(0x08, 0x00))

/** What a responder says to take a circuit: STATUS, OK. */
export const STOP_OK: Buffer = framed(Buffer.of(0x08, 0x01, 0x20, 100))

/** CONNECT. */
export function connectTo(peer: PeerId): Buffer {
  return framed(Buffer.concat([field(1, 1), field(2, field(1, peer.toMultihash().bytes))]))
}

/** Reads a protobuf message of numbers and bytes. */
export function fieldsOf(body: Uint8Array): Fields {
  const bytes = Buffer.from(body)
  const fields: Fields = new Map()
  let at = 0
  const number = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? 0
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  while (at < bytes.byteLength) {
    const tag = number()
    let value: number | Buffer = number()
    if (tag % 8 === 2) {
      at += value
      value = bytes.subarray(at - value, at)
    }
    fields.set(Math.floor(tag / 8), [...(fields.get(Math.floor(tag / 8)) ?? []), value])
  }
  return fields
}

/** The first value of a field that is a number. */
export function numberIn(fields: Fields | undefined, at: number): number | undefined {
  const [value] = fields?.get(at) ?? []
  return typeof value === 'number' ? value : undefined
}

/** The first value of a field that is a message. */
export function messageIn(fields: Fields | undefined, at: number): Fields | undefined {
  const [value] = fields?.get(at) ?? []
  return Buffer.isBuffer(value) ? fieldsOf(value) : undefined
}

/** Starts a plain node; it listens nowhere. It dials from a given address. */
export async function startClient(t: Pick<TestContext, 'after'>, localAddress?: string): Promise<Libp2p> {
  // `net.connect` gets all of these, but the type of @libp2p/tcp declares only some
  const dialOpts: object = localAddress === undefined ? {} : { localAddress }
  const node = await createLibp2p({
    transports: [tcp({ dialOpts })],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ maxOutboundStreams: 1e6, maxInboundStreams: 1e6, maxEarlyStreams: 1e6 })],
    // thousands of streams at once are asked for here
    connectionMonitor: { enabled: false },
  })
  t.after(() => node.stop())
  return node
}

/** Opens a hop stream. */
export async function openHop(connection: Connection): Promise<Stream> {
  return connection.newStream(HOP, {
    maxOutboundStreams: Infinity,
    runOnLimitedConnection: true,
    signal: AbortSignal.timeout(PATIENCE_MS),
  })
}

/** What the relay has said. */
export interface Answer {
  fields: Fields
  status: number | undefined
  stream: Stream
}

/** Sends one request on a stream of its own and reads the answer. */
export async function ask(connection: Connection, request: Uint8Array): Promise<Answer> {
  const stream = await openHop(connection)
  stream.send(request)
  return readAnswer(stream)
}

/** Reads the next message; what comes behind it stays on the stream. */
export async function readAnswer(stream: Stream, patienceMs: number = PATIENCE_MS): Promise<Answer> {
  const messages = lpStream(stream)
  const body = await messages.read({ signal: AbortSignal.timeout(patienceMs) })
  messages.unwrap()
  const fields = fieldsOf(body.subarray())
  return { fields, status: numberIn(fields, 5), stream }
}

/** Asks and lets the stream go; resolves with the status. */
export async function statusOf(connection: Connection, request: Uint8Array): Promise<number | undefined> {
  const { status, stream } = await ask(connection, request)
  await stream.close()
  return status
}

/** A peer that holds a reservation, and its connection to the relay. */
export interface Member {
  node: Libp2p
  connection: Connection
}

/** Where a relay is. */
interface Place {
  readonly addrs: readonly Multiaddr[]
}

/** Starts a client that is connected to the relay and holds no reservation. */
export async function startVisitor(
  t: Pick<TestContext, 'after'>,
  relay: Place,
  localAddress?: string,
): Promise<Member> {
  const node = await startClient(t, localAddress)
  const [addr] = relay.addrs
  if (addr === undefined) throw new Error('the relay listens nowhere')
  return { node, connection: await node.dial(addr) }
}

/** Starts a client that holds a reservation and does not answer calls. */
export async function startMember(t: Pick<TestContext, 'after'>, relay: Place): Promise<Member> {
  const member = await startVisitor(t, relay)
  const status = await statusOf(member.connection, RESERVE)
  if (status !== 100) throw new Error(`no reservation: ${status}`)
  return member
}

/** A circuit that a responder is told of. */
export interface Call {
  stream: Stream
  connection: Connection
  /** The relay's message. */
  fields: Fields
}

/** Answers each call with these bytes; `onCall` is told of it after. */
export async function answerCalls(
  { node }: Member,
  reply: Uint8Array | undefined = STOP_OK,
  onCall: (call: Call) => void = () => {},
): Promise<void> {
  const onStream = async (stream: Stream, connection: Connection): Promise<void> => {
    const messages = lpStream(stream)
    const body = await messages.read({ signal: AbortSignal.timeout(PATIENCE_MS) })
    messages.unwrap()
    if (reply !== undefined) stream.send(reply)
    onCall({ stream, connection, fields: fieldsOf(body.subarray()) })
  }
  await node.handle(STOP, onStream, { maxInboundStreams: Infinity, force: true })
}

/** Both ends of a circuit, with nothing on it. */
export interface RawCircuit {
  initiator: Stream
  responder: Stream
}

/** Opens a circuit. */
export async function openCircuit(from: Member, to: Member): Promise<RawCircuit> {
  const called = Promise.withResolvers<Call>()
  await answerCalls(to, STOP_OK, called.resolve)
  const { status, stream } = await ask(from.connection, connectTo(to.node.peerId))
  if (status !== 100) throw new Error(`no circuit: ${status}`)
  return { initiator: stream, responder: (await called.promise).stream }
}

/** The next event of this name. */
export async function nextEvent<Name extends keyof RelayEvents>(
  target: TypedEventTarget<RelayEvents>,
  name: Name,
  patienceMs = PATIENCE_MS,
): Promise<RelayEvents[Name]['detail']> {
  const signal = AbortSignal.timeout(patienceMs)
  const [event] = (await once(target as never, name, { signal })) as [RelayEvents[Name]]
  return event.detail
}

/** Resolves with the status of a stream when it is open no more. */
export async function streamEnd(stream: Stream): Promise<Stream['status']> {
  if (stream.status === 'open')
    await once(stream as never, 'close', { signal: AbortSignal.timeout(PATIENCE_MS * 2) })
  return stream.status
}

/** Streams that are open on all connections of a node, by protocol. */
export function openStreams({ libp2p }: { libp2p: Libp2p }): string[] {
  return libp2p.getConnections().flatMap(connection => connection.streams.map(it => it.protocol))
}
