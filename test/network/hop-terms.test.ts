/** What the relay grants, on the wire: until when, at which addresses, within which limits, and over which connections. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { RecordEnvelope } from '@libp2p/peer-record'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { Circuit } from '@multiformats/multiaddr-matcher'
import { createLibp2p } from 'libp2p'
import { circuitRelayHop } from '../../relay/index.ts'
import { assertCarries, connectCircuit, startPlain, startRelay } from './circuit-stage.ts'
import {
  answerCalls,
  ask,
  connectTo,
  fieldsOf,
  messageIn,
  nextEvent,
  numberIn,
  openCircuit,
  RESERVE,
  startMember,
  startVisitor,
  statusOf,
} from './hop-client.ts'
import { until } from '../waits.ts'
import type { Libp2p } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { HopInit, HopService, Relay } from '../../relay/index.ts'
import type { Call, Fields } from './hop-client.ts'

const LIMIT = { timeout: 40_000 }
const OK = 100

/** The addresses in a reservation. */
function addrsIn(answer: Fields): string[] {
  const addrs = messageIn(answer, 3)?.get(2) ?? []
  return addrs.map(addr => multiaddr(addr as Buffer).toString())
}

/** Makes a plain node a relay, which is reachable over another, too. */
async function startPlainRelay(
  t: TestContext,
  init: HopInit = {},
  over?: Relay,
): Promise<{ node: Libp2p<{ relay: HopService }>; addrs: ReturnType<Libp2p['getMultiaddrs']> }> {
  const node = await createLibp2p({
    addresses: {
      listen: ['/ip4/127.0.0.1/tcp/0', ...(over === undefined ? [] : [`${over.addrs[0]}/p2p-circuit`])],
    },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), relay: circuitRelayHop(init) },
  })
  t.after(() => node.stop())
  return { node, addrs: node.getMultiaddrs().filter(addr => !Circuit.exactMatch(addr)) }
}

describe('a reservation', { concurrency: 4 }, () => {
  it('expires at a time in seconds, which its voucher says, too', LIMIT, async t => {
    const relay = await startRelay(t, { reservationTtlMs: 600_000 })
    const granted = nextEvent(relay, 'reservation:granted')
    const { node, connection } = await startVisitor(t, relay)
    const { status, fields } = await ask(connection, RESERVE)
    assert.equal(status, OK)
    const reservation = messageIn(fields, 3)
    const expire = numberIn(reservation, 1)
    assert.equal(expire, Math.floor((await granted).expiresAt.getTime() / 1000))
    const [voucher] = reservation?.get(3) ?? []
    const envelope = await RecordEnvelope.openAndCertify(voucher as Buffer, 'libp2p-relay-rsvp')
    const said = fieldsOf(envelope.payload)
    assert.deepEqual(said.get(1), [Buffer.from(relay.peerId.toMultihash().bytes)])
    assert.deepEqual(said.get(2), [Buffer.from(node.peerId.toMultihash().bytes)])
    assert.equal(numberIn(said, 3), expire)
  })

  it('that expires takes the connection along, which its peer notices', LIMIT, async t => {
    const relay = await startRelay(t, { reservationTtlMs: 500 })
    const expired = nextEvent(relay, 'reservation:ended')
    const { connection } = await startMember(t, relay)
    const closed = once(connection as never, 'close', { signal: AbortSignal.timeout(10_000) })
    assert.equal((await expired).reason, 'expired')
    await closed
  })

  it('that expires leaves the connection as long as a circuit is on it', LIMIT, async t => {
    const relay = await startRelay(t, { reservationTtlMs: 1_000 })
    const expired = nextEvent(relay, 'reservation:ended')
    const [from, to] = [await startVisitor(t, relay), await startMember(t, relay)]
    const { initiator, responder } = await openCircuit(from, to)
    assert.equal((await expired).reason, 'expired')
    const arrived = once(responder as never, 'message', { signal: AbortSignal.timeout(10_000) })
    initiator.send(Buffer.from('still here'))
    await arrived
    assert.equal(to.connection.status, 'open')
    const closed = once(to.connection as never, 'close', { signal: AbortSignal.timeout(10_000) })
    await Promise.all([initiator.close(), responder.close()])
    await closed
  })

  it('that is made again after it expired keeps the connection that a circuit has kept', LIMIT, async t => {
    const relay = await startRelay(t, { reservationTtlMs: 1_000 })
    const [from, to] = [await startVisitor(t, relay), await startMember(t, relay)]
    const { initiator, responder } = await openCircuit(from, to)
    await nextEvent(relay, 'reservation:ended')
    assert.equal(await statusOf(to.connection, RESERVE), OK)
    const ended = nextEvent(relay, 'reservation:ended')
    await Promise.all([initiator.close(), responder.close()])
    assert.equal((await ended).reason, 'expired')
  })

  it('has no limit where circuits have none', LIMIT, async t => {
    const relay = await startRelay(t)
    const { fields } = await ask((await startVisitor(t, relay)).connection, RESERVE)
    assert.ok(!fields.has(4))
  })

  it('has the limits of circuits, in seconds and in bytes', LIMIT, async t => {
    const relay = await startRelay(t, { profile: 'public' })
    const { fields } = await ask((await startVisitor(t, relay)).connection, RESERVE)
    assert.deepEqual(
      messageIn(fields, 4),
      new Map([
        [1, [120]],
        [2, [131_072]],
      ]),
    )
  })

  it('is told with the address that the relay listens on, and its peer id', LIMIT, async t => {
    const relay = await startRelay(t)
    const { fields } = await ask((await startVisitor(t, relay)).connection, RESERVE)
    assert.deepEqual(addrsIn(fields), relay.addrs.map(String))
    assert.match(addrsIn(fields)[0] ?? '', new RegExp(`^/ip4/127\\.0\\.0\\.1/tcp/\\d+/p2p/${relay.peerId}$`))
  })

  it('is told with public addresses alone where there are any', LIMIT, async t => {
    const shown = ['/ip4/11.22.33.44/tcp/4001', '/dns4/relay.example/tcp/443/tls/ws']
    const relay = await startRelay(t, { announce: [...shown, '/ip4/10.1.2.3/tcp/4001'] })
    const { connection } = await startVisitor(t, { addrs: listening(relay) })
    const { fields } = await ask(connection, RESERVE)
    assert.deepEqual(addrsIn(fields).toSorted(), shown.map(it => `${it}/p2p/${relay.peerId}`).toSorted())
  })

  it('is told with private addresses where those are announced', LIMIT, async t => {
    const relay = await startRelay(t, { announce: ['/ip4/10.1.2.3/tcp/4001'] })
    const { connection } = await startVisitor(t, { addrs: listening(relay) })
    const { fields } = await ask(connection, RESERVE)
    assert.deepEqual(addrsIn(fields), [`/ip4/10.1.2.3/tcp/4001/p2p/${relay.peerId}`])
  })

  it('is told without the circuits over which the relay is reached', LIMIT, async t => {
    const { node, addrs } = await startPlainRelay(t, {}, await startRelay(t))
    assert.ok(node.getMultiaddrs().some(addr => Circuit.exactMatch(addr)))
    const { fields } = await ask((await startVisitor(t, { addrs })).connection, RESERVE)
    assert.deepEqual(addrsIn(fields), addrs.map(String))
  })

  it('is extended when it is asked for again', LIMIT, async t => {
    const relay = await startRelay(t)
    const { connection } = await startVisitor(t, relay)
    const refreshes: boolean[] = []
    relay.addEventListener('reservation:granted', ({ detail }) => refreshes.push(detail.isRefresh))
    const first = numberIn(messageIn((await ask(connection, RESERVE)).fields, 3), 1) ?? 0
    const now = Date.now.bind(Date)
    t.mock.method(Date, 'now', () => now() + 100_000)
    const second = numberIn(messageIn((await ask(connection, RESERVE)).fields, 3), 1) ?? 0
    assert.ok(second - first >= 100 && second - first < 140, `${second - first} s`)
    assert.deepEqual([refreshes, relay.reservations.size], [[false, true], 1])
  })

  it('outlives one of two connections of its peer, and ends with the last', LIMIT, async t => {
    const relay = await startRelay(t)
    const ended: string[] = []
    relay.addEventListener('reservation:ended', ({ detail }) => ended.push(detail.reason))
    const { node, connection } = await startMember(t, relay)
    const second = await node.dial(relay.addrs[0] as never, { force: true })
    await until(() => relay.libp2p.getConnections().length === 2, 'there are two connections')
    await connection.close()
    await until(() => relay.libp2p.getConnections().length === 1, 'one connection is left')
    assert.deepEqual([relay.reservations.size, ended], [1, []])
    await answerCalls({ node, connection: second })
    const visitor = await startVisitor(t, relay)
    assert.equal(await statusOf(visitor.connection, connectTo(node.peerId)), OK)
    const end = nextEvent(relay, 'reservation:ended')
    await second.close()
    await end
    assert.deepEqual([relay.reservations.size, ended], [0, ['disconnected']])
    assert.equal(await statusOf(visitor.connection, connectTo(node.peerId)), 204)
  })

  it('and a circuit are refused to who asks over a circuit', LIMIT, async t => {
    const between = await startRelay(t)
    const { node, addrs } = await startPlainRelay(t, {}, between)
    const member = await startMember(t, { addrs })
    const visitor = await startPlain(t, between)
    const circuit = await visitor.dial(multiaddr(`${between.addrs[0]}/p2p-circuit/p2p/${node.peerId}`))
    const { events } = node.services.relay
    const [reservation, connect] = [
      nextEvent(events, 'reservation:refused'),
      nextEvent(events, 'circuit:refused'),
    ]
    assert.equal(await statusOf(circuit, RESERVE), 202)
    assert.equal((await reservation).reason, 'over-circuit')
    assert.equal(await statusOf(circuit, connectTo(member.node.peerId)), 202)
    assert.equal((await connect).reason, 'over-circuit')
    await answerCalls(member)
    const direct = await visitor.dial(addrs[0] as never, { force: true })
    assert.equal(await statusOf(direct, connectTo(member.node.peerId)), OK)
  })
})

describe('a circuit', { concurrency: 4 }, () => {
  for (const [what, init, limit] of [
    ['without limits has none for either end', {}, undefined],
    ['has its data told to both ends', { circuitBytes: 5_000_000_000 }, [[2, [5_000_000_000]]]],
    ['has its seconds told to both ends, rounded up', { circuitDurationMs: 90_001 }, [[1, [91]]]],
  ] as const)
    it(what, LIMIT, async t => {
      const relay = await startRelay(t, init)
      const [from, to] = [await startVisitor(t, relay), await startMember(t, relay)]
      const called = Promise.withResolvers<Call>()
      await answerCalls(to, undefined, called.resolve)
      const answered = ask(from.connection, connectTo(to.node.peerId))
      const { fields: call, stream } = await called.promise
      stream.send(Buffer.from('0408012064', 'hex'))
      const { fields: answer } = await answered
      const told = (fields: Fields, at: number): unknown => {
        const message = messageIn(fields, at)
        return message === undefined ? undefined : [...message]
      }
      assert.deepEqual([told(answer, 4), told(call, 3)], [limit, limit])
      assert.deepEqual([numberIn(answer, 1), numberIn(answer, 5)], [2, OK])
      assert.equal(numberIn(call, 1), 0)
      assert.deepEqual(messageIn(call, 2)?.get(1), [Buffer.from(from.node.peerId.toMultihash().bytes)])
    })

  it('has the limits of the relay in the eyes of a stock client', LIMIT, async t => {
    const relay = await startRelay(t, { profile: 'public' })
    const [from, to] = [await startPlain(t, relay), await startPlain(t, relay)]
    const { circuit, accepted } = await connectCircuit(from, to, relay)
    for (const { limits } of [circuit, accepted]) {
      // what the handshake took is counted already
      assert.ok(
        (limits?.bytes ?? 0n) > 120_000n && (limits?.bytes ?? 0n) <= 131_072n,
        `${limits?.bytes} bytes`,
      )
      assert.ok((limits?.seconds ?? 0) > 60 && (limits?.seconds ?? 0) <= 120, `${limits?.seconds} s`)
    }
    await assertCarries(circuit)
  })

  it(
    'goes to the responder over its direct connection, and not over a circuit when that is gone',
    LIMIT,
    async t => {
      const between = await startRelay(t)
      const { node, addrs } = await startPlainRelay(t, {}, between)
      const responder = await startPlain(t, between)
      const calls: string[] = []
      const circuit = await responder.dial(multiaddr(`${between.addrs[0]}/p2p-circuit/p2p/${node.peerId}`))
      const direct = await responder.dial(addrs[0] as never, { force: true })
      assert.equal(await statusOf(direct, RESERVE), OK)
      await answerCalls({ node: responder, connection: direct }, undefined, ({ connection, stream }) => {
        calls.push(connection.id)
        stream.send(Buffer.from('0408012064', 'hex'))
      })
      const visitor = await startVisitor(t, { addrs })
      assert.equal(await statusOf(visitor.connection, connectTo(responder.peerId)), OK)
      assert.deepEqual(calls, [direct.id])
      const ended = nextEvent(node.services.relay.events, 'reservation:ended')
      await direct.close()
      assert.equal((await ended).reason, 'disconnected')
      assert.equal(circuit.status, 'open')
      assert.equal(await statusOf(visitor.connection, connectTo(responder.peerId)), 204)
      assert.deepEqual(calls, [direct.id])
    },
  )
})

describe('a plain node with the hop service', () => {
  it('is a relay, with limits and events of its own', LIMIT, async t => {
    const { node, addrs } = await startPlainRelay(t, { limits: { maxReservations: 2, circuitBytes: 1000 } })
    const service = node.services.relay
    const granted = nextEvent(service.events, 'reservation:granted')
    const [one, other] = [await startMember(t, { addrs }), await startMember(t, { addrs })]
    assert.equal((await granted).peerId.toString(), one.node.peerId.toString())
    assert.equal(await statusOf((await startVisitor(t, { addrs })).connection, RESERVE), 200)
    const { initiator, responder } = await openCircuit(one, other)
    assert.deepEqual([service.reservations.size, service.circuits], [2, 1])
    const closed = nextEvent(service.events, 'circuit:closed')
    initiator.send(Buffer.alloc(600))
    await Promise.all([initiator.close(), responder.close()])
    const { reason, bytesToResponder } = await closed
    assert.deepEqual(
      [reason, bytesToResponder, service.bytesTransferred],
      ['closed', 600, { toResponder: 600, toInitiator: 0 }],
    )
  })

  it('is none any more when it stops, and one again when it starts', LIMIT, async t => {
    const { node, addrs } = await startPlainRelay(t)
    await startMember(t, { addrs })
    const ended = nextEvent(node.services.relay.events, 'reservation:ended')
    await node.stop()
    // the connections close before or after
    assert.match((await ended).reason, /^(stopped|disconnected)$/)
    assert.equal(node.services.relay.reservations.size, 0)
    await node.start()
    await startMember(t, { addrs: node.getMultiaddrs() })
    assert.equal(node.services.relay.reservations.size, 1)
  })
})

/** Where a relay listens, whatever it announces. */
function listening(relay: Relay): ReturnType<typeof multiaddr>[] {
  const { components } = relay.libp2p as unknown as {
    components: { transportManager: { getAddrs(): ReturnType<typeof multiaddr>[] } }
  }
  return components.transportManager.getAddrs()
}

// alone: the clock is everybody's
describe('a relay whose clock is wrong', () => {
  it('says how long a reservation lasts', LIMIT, async t => {
    const relay = await startRelay(t, { reservationTtlMs: 600_000 })
    const { connection } = await startVisitor(t, relay)
    const { now } = Date
    for (const offMs of [0, 86_400_000, -now()]) {
      const clock = t.mock.method(Date, 'now', () => now() + offMs)
      const reservation = messageIn((await ask(connection, RESERVE)).fields, 3)
      clock.mock.restore()
      const remainingMs = numberIn(reservation, 1001) ?? 0
      assert.ok(remainingMs > 590_000 && remainingMs <= 600_000, `${remainingMs} ms`)
      const expireMs = (numberIn(reservation, 1) ?? 0) * 1000
      assert.ok(Math.abs(expireMs - now() - offMs - 600_000) < 10_000, `expires in ${expireMs - now()} ms`)
    }
  })
})
