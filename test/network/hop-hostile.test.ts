/**
 * What the relay makes of remotes that abuse it: an answer or a reset for each, and in the end it holds nothing and serves others.
 *
 * The runner fails a test during which a rejection goes unhandled, so each test asserts that, too.
 */

import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { startRelay } from './circuit-stage.ts'
import {
  answerCalls,
  connectTo,
  nextEvent,
  openCircuit,
  openHop,
  readAnswer,
  RESERVE,
  startClient,
  startMember,
  startVisitor,
  statusOf,
  streamEnd,
} from './hop-client.ts'
import { assertNothingHeld, startStage } from './hop-stage.ts'
import { until } from '../waits.ts'
import type { Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Relay } from '../../relay/index.ts'
import type { Member } from './hop-client.ts'

const LIMIT = { timeout: 110_000 }
describe('abuse by a client', { concurrency: true }, () => {
  for (const [what, bytes] of [
    ['says nothing', ''],
    ['stops in the middle of a message', '2408'],
  ] as const)
    it(`that opens a hop stream and ${what} is cut off after 30 s`, LIMIT, async t => {
      const { relay, innocents } = await startStage(t)
      const { node, connection } = await startVisitor(t, relay)
      const answered = nextEvent(relay, 'request:answered', 60_000)
      const stream = await openHop(connection)
      stream.send(Buffer.from(bytes, 'hex'))
      assert.equal(await streamEnd(stream), 'reset')
      const { status, request } = await answered
      assert.deepEqual([status, request], ['TIMED_OUT', 'unknown'])
      await node.stop()
      await assertNothingHeld(relay, innocents)
    })

  it('whose responder never answers is told 203 after 30 s, and the place is free', LIMIT, async t => {
    const { relay, innocents } = await startStage(t)
    const [visitor, silent] = [await startVisitor(t, relay), await startMember(t, relay)]
    await answerCalls(silent, Buffer.alloc(0))
    const { connection } = visitor
    const request = await openHop(connection)
    request.send(connectTo(silent.node.peerId))
    await until(() => relay.circuits === 2, 'the place is taken')
    const refused = nextEvent(relay, 'circuit:refused', 60_000)
    assert.equal((await refused).reason, 'connection-failed')
    assert.equal((await readAnswer(request)).status, 203)
    assert.equal(relay.circuits, 1)
    await Promise.all([visitor.node.stop(), silent.node.stop()])
    await assertNothingHeld(relay, innocents)
  })

  for (const [what, leave] of [
    ['resets its request', (stream: Stream) => stream.abort(new Error('never mind'))],
    ['goes away', (_: Stream, { connection }: Member) => connection.abort(new Error('gone'))],
  ] as const)
    it(`that ${what} while its responder is silent frees the place at once`, LIMIT, async t => {
      const { relay, innocents } = await startStage(t)
      const [visitor, silent] = [await startVisitor(t, relay), await startMember(t, relay)]
      await answerCalls(silent, Buffer.alloc(0))
      const stream = await openHop(visitor.connection)
      stream.send(connectTo(silent.node.peerId))
      await until(() => relay.circuits === 2, 'the place is taken')
      leave(stream, visitor)
      // long before the 30 s of the time-out
      await until(() => relay.circuits === 1, 'the place is free', 15_000)
      await Promise.all([visitor.node.stop(), silent.node.stop()])
      await assertNothingHeld(relay, innocents)
    })

  for (const end of ['initiator', 'responder'] as const)
    it(
      `that disappears as ${end} of a circuit: the other side is reset and the place free`,
      LIMIT,
      async t => {
        const { relay, innocents } = await startStage(t)
        const [from, to] = [await startVisitor(t, relay), await startMember(t, relay)]
        const circuit = await openCircuit(from, to)
        const closed = nextEvent(relay, 'circuit:closed')
        circuit.initiator.send(Buffer.alloc(200_000))
        const gone = end === 'initiator' ? from : to
        gone.connection.abort(new Error('gone'))
        assert.equal((await closed).reason, 'reset')
        assert.equal(await streamEnd(circuit[end === 'initiator' ? 'responder' : 'initiator']), 'reset')
        await Promise.all([from.node.stop(), to.node.stop()])
        await assertNothingHeld(relay, innocents)
      },
    )

  it('that reads none of its answers is answered, and holds nothing when it goes', LIMIT, async t => {
    const { relay, innocents } = await startStage(t, { reservationsPerSecondPerIp: Infinity })
    // the relay has set up the connection of who has been answered, and takes any number of streams
    const { node, connection } = await startMember(t, relay)
    let answers = 0
    relay.addEventListener('request:answered', () => answers++)
    const streams = await Promise.all(Array.from({ length: 500 }, async () => openHop(connection)))
    for (const stream of streams) {
      stream.pause()
      stream.send(RESERVE)
    }
    await until(() => answers >= 500, 'all are answered')
    await innocents.carry()
    await node.stop()
    await assertNothingHeld(relay, innocents)
  })

  it('that goes on talking when it has been answered is reset', LIMIT, async t => {
    const { relay, innocents } = await startStage(t)
    const { node, connection } = await startVisitor(t, relay)
    const streams = await Promise.all(Array.from({ length: 20 }, async () => openHop(connection)))
    for (const stream of streams) {
      stream.send(RESERVE)
      await readAnswer(stream)
      stream.send(Buffer.alloc(200_000))
    }
    const ends = await Promise.all(streams.map(async stream => streamEnd(stream)))
    assert.deepEqual([...new Set(ends)], ['reset'])
    await node.stop()
    await assertNothingHeld(relay, innocents)
  })

  it('whose message has a length without an end is answered', LIMIT, async t => {
    const { relay } = await startStage(t)
    const { connection } = await startVisitor(t, relay)
    const stream = await openHop(connection)
    stream.send(Buffer.alloc(64, 0x80))
    assert.equal((await readAnswer(stream, 5000)).status, 400)
  })

  it('that opens streams without end has as many as it may, and the rest are reset', LIMIT, async t => {
    const { relay, innocents } = await startStage(t, { maxCircuitsPerPeer: 8 })
    const { node, connection } = await startVisitor(t, relay)
    let open = 0
    for (let n = 0; n < 10; n++) {
      const streams = await Promise.allSettled(Array.from({ length: 20 }, async () => openHop(connection)))
      open += streams.length
      await innocents.carry()
    }
    assert.equal(open, 200)
    // 8 circuits, and 32 requests at once
    await until(() => connection.streams.length <= 40, 'the rest are reset')
    const held = relay.libp2p.getConnections(node.peerId).flatMap(it => it.streams)
    assert.equal(held.length, 40)
    await node.stop()
    await assertNothingHeld(relay, innocents)
  })

  it('that opens connections without end has as many as its address may have', LIMIT, async t => {
    const { relay, innocents } = await startStage(t, { maxConnectionsPerNetwork: 10 })
    const { closed, end } = connectOften(relay, 40)
    // two are those of the innocents
    await until(() => closed() === 32, 'all but eight are closed')
    await innocents.carry()
    assert.equal(closed(), 32)
    end()
    await assertNothingHeld(relay, innocents)
    await startMember(t, relay)
  })

  it('that connects faster than its address may is turned away, and let in later', LIMIT, async t => {
    const { relay, innocents } = await startStage(t, { connectionsPerSecondPerIp: 4 })
    const { closed, end } = connectOften(relay, 40)
    await until(() => closed() >= 20, 'most are closed')
    await innocents.carry()
    end()
    await assertNothingHeld(relay, innocents)
    const [addr] = relay.addrs
    const node = await startClient(t)
    for (let isIn = false; !isIn; ) {
      isIn = await node.dial(addr as Multiaddr).then(
        () => true,
        () => false,
      )
    }
  })
})

/** Opens connections that say nothing; tells how many the relay has closed. */
function connectOften({ addrs }: Relay, times: number): { closed: () => number; end: () => void } {
  const port = Number(/\/tcp\/(\d+)/.exec(String(addrs[0]))?.[1])
  let closed = 0
  const sockets = Array.from({ length: times }, () => {
    const socket = connect(port, '127.0.0.1').resume()
    return socket.on('error', () => {}).on('close', () => closed++)
  })
  return { closed: () => closed, end: () => sockets.forEach(socket => socket.destroy()) }
}

describe('a thousand identities on one address', () => {
  it('have eight reservations on a public relay', LIMIT, async t => {
    const relay = await startRelay(t, {
      profile: 'public',
      maxConnectionsPerNetwork: Infinity,
      connectionsPerSecondPerIp: Infinity,
      reservationsPerSecondPerIp: Infinity,
    })
    const reasons = new Set<string>()
    relay.addEventListener('reservation:refused', ({ detail }) => reasons.add(detail.reason))
    const statuses: Array<number | undefined> = []
    for (let n = 0; n < 1000; n += 20) {
      const visitors = Array.from({ length: 20 }, async () => {
        const { node, connection } = await startVisitor(t, relay)
        const status = await statusOf(connection, RESERVE)
        // who has one stays
        if (status !== 100) await node.stop()
        return status
      })
      statuses.push(...(await Promise.all(visitors)))
    }
    assert.equal(statuses.filter(status => status === 100).length, 8)
    assert.equal(statuses.filter(status => status === 200).length, 992)
    assert.deepEqual([[...reasons], relay.reservations.size], [['full-for-address'], 8])
  })
})
