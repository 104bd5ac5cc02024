/**
 * Bounds what a remote may send while a protocol is negotiated: on a socket before encryption, on the encrypted
 * connection before multiplexing, and on every stream, whichever side opens it.
 *
 * Fault of `@libp2p/multistream-select` 7.0.28: it reads lengths by `lpStream` of `@libp2p/utils`, which
 * decodes a length again for each byte and never ends (see src/protocols/message-bounds.ts), and it answers
 * any number of proposals. libp2p hands options on to it for sockets and encrypted connections and for streams
 * that this side opens, but none for streams that the remote opens. Those are negotiated here.
 *
 * Upstream issue: not reported.
 */

import * as mss from '@libp2p/multistream-select'
import { InvalidMessageError } from '@libp2p/interface'
import { TokenBucket } from '../../limits/token-bucket.ts'
import { newStreamsOf, REFUSED_STREAMS, streamNetworkOf } from '../../muxer/new-streams.ts'
import { lengthDecoder } from '../../protocols/message-bounds.ts'
import { upgradeInFewPieces } from '../libp2p-utils/handshake-pieces.ts'
import { boundStockReader } from '../libp2p-utils/unbounded-messages.ts'
import { shapeCheck } from '../expect-shape.ts'
import type { Connection, Libp2pEvents, Stream, StreamMuxer, Upgrader } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'
import type { TypedEventTarget } from 'main-event'
import type { NewStreams } from '../../muxer/new-streams.ts'
import type { LengthDecoder } from '../../protocols/message-bounds.ts'

/** Longest line of multistream-select, in bytes (`MAX_PROTOCOL_LENGTH` of `@libp2p/multistream-select`). */
const MAX_LINE_BYTES = 1024

/** Lines that a remote may send in one negotiation. Two are usual: the header, and the protocol. */
const MAX_LINES = 32

/** Lines of a negotiation that succeeds with the first proposal: the header, and the protocol. */
const USUAL_LINES = 2

/**
 * Proposals that fail, of all streams of a connection together. A remote may make 256, and 16 a second more,
 * before its connection ends. kubo makes some 20 when it connects. Each costs about 100 us.
 */
const FAILED_PROPOSALS = { capacity: 256, perSecond: 16 } as const

/**
 * Streams that carry one request each, and cost up to 1 ms for 100 bytes. A remote may open 64 of them, and 16 a
 * second more; others are reset, and count as proposals that fail. Two or three in the life of a connection are
 * usual, and a ping now and then.
 */
const REQUESTS = { capacity: 64, perSecond: 16 } as const
const REQUEST_PROTOCOLS: ReadonlySet<string> = new Set([
  '/ipfs/id/1.0.0',
  '/ipfs/id/push/1.0.0',
  '/ipfs/ping/1.0.0',
  '/libp2p/autonat/2/dial-request',
  '/libp2p/autonat/2/dial-back',
  '/throughnat/relay-token/1.0.0',
  '/throughnat/libp2p/dcutr/offer/1',
])

/** Protocols of services that call `NewStreams.credit`, or whose peers are trusted once they use a service. */
const CREDITED_PROTOCOLS: ReadonlySet<string> = new Set([
  '/libp2p/circuit/relay/0.2.0/hop',
  '/libp2p/circuit/relay/0.2.0/stop',
  '/libp2p/dcutr',
  '/throughnat/tunnel/2',
])

/**
 * Streams without a protocol that a remote may leave open for longer than this, in milliseconds. The side that opens a
 * stream proposes a protocol with its first bytes, or one round trip later.
 */
const UNDECIDED = { max: 64, olderThanMs: 1_000 } as const

/** Streams of one protocol, where its handler sets no limit (`DEFAULT_MAX_INBOUND_STREAMS` of libp2p). */
const MAX_INBOUND_STREAMS = 32

/** Time to negotiate a stream, in milliseconds (`PROTOCOL_NEGOTIATION_TIMEOUT` of libp2p). */
const TIMEOUT_MS = 10_000

/** The libp2p components that are patched. Transports and services get them. */
export interface NegotiationComponents {
  upgrader: Upgrader
  events: TypedEventTarget<Libp2pEvents>
  registrar: Registrar
}

/** What is asked of libp2p's registrar. */
export type BoundedRegistrar = Pick<Registrar, 'getProtocols' | 'getHandler'>

/** What is behind the interface of a connection. */
interface OwnConnection extends Connection {
  readonly muxer?: StreamMuxer
  readonly onIncomingStream: (event: CustomEvent<Stream>) => Promise<void>
}

const assertUpgraderShape = shapeCheck('libp2p', {
  upgradeInbound: 'function',
  upgradeOutbound: 'function',
})
const assertShape = shapeCheck('libp2p', {
  newStream: 'function',
  onIncomingStream: 'function',
  'muxer.addEventListener': 'function',
  'muxer.removeEventListener': 'function',
})

const bounded = new WeakSet<Upgrader>()

/**
 * Patches a node. Call it in the factory of a transport: those are made before services, some of which open a
 * stream on each new connection. A second call for the same node does nothing.
 *
 * @throws {UpstreamChangedError}
 */
export function boundNegotiations(components: NegotiationComponents): void {
  const { upgrader, events, registrar } = components
  if (bounded.has(upgrader)) return
  assertUpgraderShape(upgrader)
  bounded.add(upgrader)
  const upgradeInbound = upgrader.upgradeInbound.bind(upgrader)
  const upgradeOutbound = upgrader.upgradeOutbound.bind(upgrader)
  upgrader.upgradeInbound = async (socket, options) =>
    upgradeInFewPieces(socket, async () =>
      upgradeInbound(socket, { ...options, ...negotiationBounds(MAX_LINES) }),
    )
  upgrader.upgradeOutbound = async (socket, options) =>
    upgradeInFewPieces(socket, async () =>
      upgradeOutbound(socket, { ...options, ...negotiationBounds(MAX_LINES) }),
    )
  events.addEventListener('connection:open', ({ detail }) => boundStreams(detail, registrar))
}

/**
 * Options of `mss.select` and `mss.handle` for one negotiation.
 *
 * @param onLine - called for each line that begins, with the number of those before it
 */
export function negotiationBounds(
  maxLines: number,
  onLine: (before: number) => void = () => {},
): { lengthDecoder: LengthDecoder } {
  const decode = lengthDecoder(MAX_LINE_BYTES)
  let lines = 0
  return {
    lengthDecoder: bytes => {
      const length = decode(bytes)
      if (lines === maxLines) throw new InvalidMessageError(`A negotiation has more than ${maxLines} lines`)
      onLine(lines++)
      return length
    },
  }
}

/** Bounds the streams of one connection. @throws {UpstreamChangedError} */
export function boundStreams(connection: Connection, registrar: BoundedRegistrar): void {
  const own = connection as OwnConnection
  const { muxer } = own
  // a connection that is not multiplexed has no streams
  if (muxer === undefined) return
  assertShape(own)
  const newStream = own.newStream.bind(own)
  own.newStream = async (protocols, options) => {
    // each protocol is answered with one line, after the header
    const lines = 1 + (Array.isArray(protocols) ? protocols.length : 1)
    const stream = await newStream(protocols, { ...options, ...negotiationBounds(lines) })
    boundStockReader(stream)
    return stream
  }
  const budget = new NegotiationBudget(connection)
  const { newStreams } = budget
  if (newStreams !== undefined) newStreams.network = streamNetworkOf(connection)
  const onStream = async (event: CustomEvent<Stream>): Promise<void> => {
    const { detail: stream } = event
    if (!(await negotiate(stream, own, registrar, budget))) return
    if (!isOwn(stream.protocol)) creditWhenClosed(stream, newStreams)
    await own.onIncomingStream(event)
  }
  muxer.removeEventListener('stream', own.onIncomingStream as never)
  muxer.addEventListener('stream', event => void onStream(event))
}

/** Agrees on the protocol of a stream that the remote has opened. Resolves with false if that fails. */
async function negotiate(
  stream: Stream,
  { streams }: Connection,
  registrar: BoundedRegistrar,
  budget: NegotiationBudget,
): Promise<boolean> {
  try {
    if (stream.protocol === '') {
      const bounds = negotiationBounds(MAX_LINES, before => {
        if (before >= USUAL_LINES) budget.countFailure()
      })
      using undecided = budget.begin()
      const { signal } = undecided
      stream.protocol = await mss.handle(stream, registrar.getProtocols(), { signal, ...bounds })
    }
    budget.countRequest(stream.protocol)
    boundStockReader(stream)
  } catch (error) {
    stream.abort(error as Error)
    budget.countFailure()
    return false
  }
  if (hasRoom(stream, streams, registrar)) return true
  stream.abort(new InvalidMessageError(`Too many streams of ${stream.protocol} are open`))
  budget.newStreams?.charge(REFUSED_STREAMS)
  return false
}

/** False for a stream that libp2p would refuse later, at a higher cost. */
function hasRoom({ protocol }: Stream, streams: readonly Stream[], registrar: BoundedRegistrar): boolean {
  const { maxInboundStreams = MAX_INBOUND_STREAMS } = registrar.getHandler(protocol).options
  if (streams.length <= maxInboundStreams) return true
  return (
    streams.filter(it => it.direction === 'inbound' && it.protocol === protocol).length <= maxInboundStreams
  )
}

/** True for protocols whose handlers credit what is of use. All others are those of the application. */
function isOwn(protocol: string): boolean {
  return REQUEST_PROTOCOLS.has(protocol) || CREDITED_PROTOCOLS.has(protocol)
}

/** A stream of the application has led to something if neither side has reset it. */
function creditWhenClosed(stream: Stream, newStreams: NewStreams | undefined): void {
  stream.addEventListener('close', ({ error }) => error === undefined && newStreams?.credit(), { once: true })
}

/** What the remote of a connection may ask for. */
class NegotiationBudget {
  readonly newStreams: NewStreams | undefined
  readonly #connection: Connection
  readonly #failures = new TokenBucket(FAILED_PROPOSALS)
  readonly #requests = new TokenBucket(REQUESTS)
  readonly #undecided = new Set<Undecided>()

  constructor(connection: Connection) {
    this.#connection = connection
    this.newStreams = newStreamsOf(connection)
  }

  /** Begins to negotiate on a stream, for which the oldest one that is undecided may have to end. */
  begin(): Undecided {
    const [oldest] = this.#undecided
    const isFull = this.#undecided.size >= UNDECIDED.max && !(this.newStreams?.isTrusted() ?? false)
    if (isFull && oldest !== undefined && oldest.ageMs > UNDECIDED.olderThanMs)
      oldest.end('Too many streams have no protocol')
    return new Undecided(this.#undecided)
  }

  /** Ends the connection if too many have failed. */
  countFailure(): void {
    if (this.#failures.take(1) > 0)
      this.#connection.abort(new InvalidMessageError('Too many proposals have failed'))
  }

  /** @throws {InvalidMessageError} if there are too many streams of this kind */
  countRequest(protocol: string): void {
    if (!REQUEST_PROTOCOLS.has(protocol)) return
    if (this.#requests.waitMs(1) > 0) throw new InvalidMessageError(`Too many streams of ${protocol}`)
    this.#requests.take(1)
  }
}

/** A stream that has no protocol yet, among those of its connection. */
class Undecided implements Disposable {
  readonly #all: Set<Undecided>
  readonly #startedAt = performance.now()
  readonly #controller = new AbortController()
  readonly #timer = setTimeout(() => this.end('No protocol was agreed on in time'), TIMEOUT_MS).unref()

  constructor(all: Set<Undecided>) {
    this.#all = all
    all.add(this)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get ageMs(): number {
    return performance.now() - this.#startedAt
  }

  end(why: string): void {
    this.#all.delete(this)
    this.#controller.abort(new InvalidMessageError(why))
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#all.delete(this)
  }
}
