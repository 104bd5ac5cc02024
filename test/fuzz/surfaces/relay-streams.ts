/** Messages of circuit-relay and dial-back on streams of a running relay and a running peer. */

import fc from 'fast-check'
import { conversation, framed, lengthPrefixed, mutated, protobuf } from '../frames.ts'
import {
  answerOf,
  HostileConnections,
  nextLoopback,
  sendAll,
  startHostile,
  startLonePeer,
  startOpenRelay,
} from '../nodes.ts'
import { KEY, PEER } from './hop-messages.ts'
import {
  connectTo,
  field,
  fieldsOf,
  HOP,
  numberIn,
  RESERVE,
  STOP,
  STOP_OK,
} from '../../network/hop-client.ts'
import { IdentifyMessage } from '../../../src/protocols/identify/answer.ts'
import { inTime } from '../../waits.ts'
import type { Connection, Stream } from '@libp2p/interface'
import type { Entry, Feed, Stage, Surface } from '../surface.ts'

const IDENTIFY = '/ipfs/id/1.0.0'

const HOP_STATUSES = [100, 200, 201, 202, 203, 204, 400, 401]
const STOP_STATUSES = [100, 202, 400, 401]

const hopRequests = [RESERVE, connectTo(PEER), framed(Buffer.concat([field(1, 2), field(5, 100)]))]
const hopFrames = fc.oneof(
  { weight: 3, arbitrary: mutated(hopRequests) },
  { weight: 2, arbitrary: lengthPrefixed(protobuf([1, 2, 3, 4, 5], 1)) },
)

/** The status in the first message of an answer. `undefined` if the answer has none. */
function statusIn(answer: Buffer, at: number): number | undefined {
  const [first = 0, second = 0] = answer
  const [length, start] = first < 128 ? [first, 1] : [(first & 127) | (second << 7), 2]
  return numberIn(fieldsOf(answer.subarray(start, start + length)), at)
}

function assertAnswered(answer: Buffer | string, statuses: readonly number[], at: number): void {
  if (answer === 'StreamResetError' || answer.length === 0) return
  const status = typeof answer === 'string' ? answer : statusIn(answer, at)
  if (typeof status !== 'number' || !statuses.includes(status))
    throw new Error(`The answer is ${status ?? Buffer.from(answer).toString('hex')}`)
}

/** A peer with a reservation, which takes each circuit and then waits. */
async function startMember(
  stage: Stage,
  relay: Awaited<ReturnType<typeof startOpenRelay>>,
): Promise<Connection> {
  const [addr] = relay.addrs
  if (addr === undefined) throw new Error('The relay listens nowhere')
  const node = await startHostile(stage, { privateKey: KEY })
  const connection = await node.dial(addr)
  const stream = await connection.newStream(HOP)
  const answer = answerOf(stream)
  await sendAll(stream, [RESERVE])
  await answer
  return connection
}

const hop: Entry = {
  name: 'hop',
  inputs: conversation(hopFrames),
  valid: hopRequests.map(it => [it]),
  start: async stage => {
    const relay = await startOpenRelay(stage)
    const member = await startMember(stage, relay)
    await acceptCircuits(member)
    const [addr] = relay.addrs
    return feedStreams(new HostileConnections(stage, addr!), HOP, HOP_STATUSES, 5)
  },
}

async function acceptCircuits(member: Connection): Promise<void> {
  const onStop = (stream: Stream): void => {
    stream.send(STOP_OK)
    stream.close().catch(() => {})
  }
  await registrarOf(member).handle(STOP, onStop, { maxInboundStreams: Infinity })
}

/** The node of a connection is not public. */
function registrarOf(connection: Connection): {
  handle(protocol: string, onStream: (stream: Stream) => void, options: object): Promise<void>
} {
  return (connection as unknown as { components: { registrar: never } }).components.registrar
}

function feedStreams(
  connections: HostileConnections,
  protocol: string,
  statuses: readonly number[],
  at: number,
): Feed {
  return async input => {
    const stream = await connections.openStream(protocol)
    const answer = answerOf(stream)
    await sendAll(stream, input)
    assertAnswered(await answer, statuses, at)
    stream.abort(new Error('done'))
  }
}

/** What the peer that is to be reached answers to the relay. */
const stopAnswers: Entry = {
  name: 'stop-answers',
  inputs: conversation(
    fc.oneof(
      mutated([STOP_OK, framed(Buffer.concat([field(1, 1), field(4, 203)]))]),
      lengthPrefixed(protobuf([1, 2, 3, 4], 1)),
    ),
    2,
  ),
  valid: [[STOP_OK]],
  start: async stage => {
    const relay = await startOpenRelay(stage)
    const member = await startMember(stage, relay)
    let answerCall: (stream: Stream) => void = () => {}
    const onStop = (stream: Stream): void => answerCall(stream)
    await registrarOf(member).handle(STOP, onStop, { maxInboundStreams: Infinity })
    const [addr] = relay.addrs
    const connections = new HostileConnections(stage, addr!)
    return async input => {
      const called = Promise.withResolvers<void>()
      answerCall = stream => void sendAll(stream, input).then(called.resolve)
      const stream = await connections.openStream(HOP)
      const outcome = answerOf(stream)
      stream.send(connectTo(PEER))
      await inTime(called.promise, 'the relay asks the peer')
      assertAnswered(await outcome, [100, 203], 5)
      stream.abort(new Error('done'))
    }
  },
}

const stopRequests = [
  framed(
    Buffer.concat([
      field(1, 0),
      field(2, field(1, PEER.toMultihash().bytes)),
      field(3, Buffer.concat([field(1, 120), field(2, 131_072)])),
    ]),
  ),
  STOP_OK,
]

/** A stranger that takes itself for a relay. */
const stop: Entry = {
  name: 'stop',
  inputs: conversation(fc.oneof(mutated(stopRequests), lengthPrefixed(protobuf([1, 2, 3, 4], 1)))),
  valid: stopRequests.map(it => [it]),
  start: async stage => {
    const { addr } = await startLonePeer(stage)
    return feedStreams(new HostileConnections(stage, addr), STOP, STOP_STATUSES, 4)
  },
}

const identities = [
  IdentifyMessage.encode({ protocols: [Buffer.from('/a/1')], agentVersion: Buffer.from('x') }),
  IdentifyMessage.encode({ listenAddrs: [Buffer.from('047f0000010600ff', 'hex')] }),
].map(framed)

/** What a stranger answers to a peer that asks who it is. */
const identifyAnswers: Entry = {
  name: 'identify-answers',
  inputs: conversation(fc.oneof(mutated(identities), lengthPrefixed(protobuf([1, 2, 3, 4, 5, 6, 8], 1)))),
  valid: identities.map(it => [it]),
  start: async stage => {
    const { addr } = await startLonePeer(stage)
    const dialOpts: { localAddress?: string } = {}
    const node = await startHostile(stage, { dialOpts })
    let onIdentify: (stream: Stream) => void = () => {}
    await node.handle(IDENTIFY, stream => onIdentify(stream), { maxInboundStreams: Infinity })
    return async input => {
      const read = Promise.withResolvers<unknown>()
      onIdentify = stream => {
        read.resolve(answerOf(stream))
        void sendAll(stream, input)
      }
      dialOpts.localAddress = nextLoopback()
      const connection = await node.dial(addr, { force: true, signal: AbortSignal.timeout(10_000) })
      await inTime(read.promise, 'the peer has read the answer')
      await connection.close()
    }
  },
}

export const relayStreams: Surface = {
  name: 'relay-streams',
  entries: [hop, stopAnswers, stop, identifyAnswers],
}
