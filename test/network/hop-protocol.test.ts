/**
 * The relay's side of circuit-relay v2 on the wire, to a client that writes each byte by hand: every refusal, and the terms of what is
 * granted.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startRelay } from './circuit-stage.ts'
import {
  answerCalls,
  ask,
  connectTo,
  field,
  fieldsOf,
  framed,
  nextEvent,
  openCircuit,
  openHop,
  readAnswer,
  RESERVE,
  startMember,
  startVisitor,
  statusOf,
  STOP,
  STOP_OK,
} from './hop-client.ts'
import { until } from '../waits.ts'
import type { Stream } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { Admission, Relay, RelayInit } from '../../relay/index.ts'
import type { Member } from './hop-client.ts'

const LIMIT = { timeout: 40_000 }
const OK = 100

/** An admission that lets everybody do everything else. */
const admission = (rules: Partial<Admission>): Admission => ({
  mayReserve: () => undefined,
  mayConnect: () => undefined,
  ...rules,
})

/** Sends the same request a number of times at once. */
async function askAtOnce({ connection }: Member, request: Uint8Array, times: number): Promise<number[]> {
  const streams = await Promise.all(Array.from({ length: times }, async () => openHop(connection)))
  for (const stream of streams) stream.send(request)
  const answers = await Promise.all(streams.map(async stream => readAnswer(stream)))
  await Promise.all(streams.map(async stream => stream.close()))
  return answers.map(({ status }) => status ?? 0)
}

interface RefusedReservation {
  reason: string
  init?: RelayInit
  before?: (t: TestContext, relay: Relay) => Promise<unknown>
  status: number
}

const refusedReservations: RefusedReservation[] = [
  { reason: 'full', init: { maxReservations: 1 }, before: startMember, status: 200 },
  { reason: 'full-for-address', init: { maxReservationsPerIpv4: 1 }, before: startMember, status: 200 },
  { reason: 'draining', before: async (_, relay) => relay.drain(), status: 200 },
  {
    reason: 'denied',
    init: { admission: admission({ mayReserve: () => ({ deniedBy: 'rule 7' }) }) },
    status: 202,
  },
]

describe('a reservation is refused', { concurrency: 4 }, () => {
  for (const { reason, init, before, status } of refusedReservations)
    it(`with ${status} where it is ${reason}`, LIMIT, async t => {
      const relay = await startRelay(t, init)
      await before?.(t, relay)
      const { size } = relay.reservations
      const refused = nextEvent(relay, 'reservation:refused')
      const visitor = await startVisitor(t, relay)
      const { fields } = await ask(visitor.connection, RESERVE)
      assert.deepEqual([...fields], [...fieldsOf(Buffer.concat([field(1, 2), field(5, status)]))])
      const detail = await refused
      assert.equal(detail.reason, reason)
      assert.equal(detail.peerId.toString(), visitor.node.peerId.toString())
      assert.equal(detail.rule, reason === 'denied' ? 'rule 7' : undefined)
      assert.equal(relay.reservations.size, size)
    })

  it('with 200 where it is too-often', LIMIT, async t => {
    const relay = await startRelay(t, { reservationsPerSecondPerIp: 1 })
    const refused = nextEvent(relay, 'reservation:refused')
    const statuses = await askAtOnce(await startVisitor(t, relay), RESERVE, 20)
    assert.deepEqual(new Set(statuses), new Set([OK, 200]))
    assert.equal((await refused).reason, 'too-often')
  })

  it('with 202 where admission fails', LIMIT, async t => {
    const mayReserve = async (): Promise<never> => Promise.reject(new Error('out of order'))
    const relay = await startRelay(t, { admission: admission({ mayReserve }) })
    const refused = nextEvent(relay, 'reservation:refused')
    const { connection } = await startVisitor(t, relay)
    assert.equal((await ask(connection, RESERVE)).status, 202)
    assert.equal((await refused).rule, 'the check failed: out of order')
  })
})

interface RefusedCircuit {
  reason: string
  init?: RelayInit
  status: number
  /** Which circuit is open already: between members 0, 1 and 2, of whom 0 asks for one to 1. */
  open?: [from: number, to: number]
  before?: (relay: Relay) => Promise<unknown>
}

const refusedCircuits: RefusedCircuit[] = [
  { reason: 'too-many', init: { maxCircuits: 1 }, open: [1, 2], status: 201 },
  { reason: 'too-many-for-peer', init: { maxCircuitsPerPeer: 1 }, open: [0, 2], status: 201 },
  { reason: 'too-many-for-peer', init: { maxCircuitsPerPeer: 1 }, open: [2, 1], status: 201 },
  { reason: 'too-many-for-pair', init: { maxCircuitsPerPair: 1 }, open: [0, 1], status: 201 },
  { reason: 'too-many-for-pair', init: { maxCircuitsPerPair: 1 }, open: [1, 0], status: 201 },
  { reason: 'draining', before: async relay => relay.drain(), status: 201 },
  {
    reason: 'denied',
    init: { admission: admission({ mayConnect: () => ({ deniedBy: 'rule 7' }) }) },
    status: 202,
  },
]

describe('a circuit is refused', { concurrency: 4 }, () => {
  for (const { reason, init, status, open, before } of refusedCircuits)
    it(
      `with ${status} where it is ${reason}${open ? ` while there is ${open.join(' to ')}` : ''}`,
      LIMIT,
      async t => {
        const relay = await startRelay(t, init)
        const members = await Promise.all([0, 1, 2].map(async () => startMember(t, relay)))
        const at = (n: number): Member => members[n] as Member
        if (open !== undefined) await openCircuit(at(open[0]), at(open[1]))
        await before?.(relay)
        const refused = nextEvent(relay, 'circuit:refused')
        const { fields } = await ask(at(0).connection, connectTo(at(1).node.peerId))
        assert.deepEqual([...fields], [...fieldsOf(Buffer.concat([field(1, 2), field(5, status)]))])
        const detail = await refused
        assert.equal(detail.reason, reason)
        assert.equal(detail.rule, reason === 'denied' ? 'rule 7' : undefined)
        assert.deepEqual(
          [detail.initiator, detail.responder].map(String),
          [at(0), at(1)].map(it => `${it.node.peerId}`),
        )
        assert.equal(relay.circuits, open === undefined ? 0 : 1)
      },
    )

  it('with 204 where there is no-reservation', LIMIT, async t => {
    const relay = await startRelay(t)
    const [from, to] = [await startMember(t, relay), await startVisitor(t, relay)]
    const refused = nextEvent(relay, 'circuit:refused')
    assert.equal(await statusOf(from.connection, connectTo(to.node.peerId)), 204)
    assert.equal((await refused).reason, 'no-reservation')
  })

  it('with 201 where it is too-often', LIMIT, async t => {
    const relay = await startRelay(t, { circuitsPerSecondPerIp: 1 })
    const [from, to] = [await startVisitor(t, relay), await startVisitor(t, relay)]
    const reasons = new Set<string>()
    relay.addEventListener('circuit:refused', ({ detail }) => reasons.add(detail.reason))
    const statuses = await askAtOnce(from, connectTo(to.node.peerId), 20)
    assert.deepEqual(new Set(statuses), new Set([201, 204]))
    assert.deepEqual([...reasons].toSorted(), ['no-reservation', 'too-often'])
  })

  it('with 202 to one target and not to another', LIMIT, async t => {
    let denied = ''
    const mayConnect: Admission['mayConnect'] = (visitor, target) =>
      target.toString() === denied ? { deniedBy: visitor.peerId.toString() } : undefined
    const relay = await startRelay(t, { admission: admission({ mayConnect }) })
    const [from, one, other] = [
      await startVisitor(t, relay),
      await startMember(t, relay),
      await startMember(t, relay),
    ]
    denied = one.node.peerId.toString()
    await answerCalls(other)
    const refused = nextEvent(relay, 'circuit:refused')
    assert.equal(await statusOf(from.connection, connectTo(one.node.peerId)), 202)
    assert.equal((await refused).rule, from.node.peerId.toString())
    assert.equal(await statusOf(from.connection, connectTo(other.node.peerId)), OK)
  })
})

describe('a circuit fails, with 203 and the place free again, where the responder', {
  concurrency: 4,
}, () => {
  for (const [what, reply] of [
    ['refuses it', framed(Buffer.concat([field(1, 1), field(4, 203)]))],
    ['denies it', framed(Buffer.concat([field(1, 1), field(4, 202)]))],
    ['answers with an unknown status', framed(Buffer.concat([field(1, 1), field(4, 999)]))],
    ['answers without a status', framed(field(1, 1))],
    ['answers OK of another type', framed(Buffer.concat([field(1, 0), field(4, OK)]))],
    ['answers OK without a type', framed(field(4, OK))],
    ['answers with nothing', framed(Buffer.alloc(0))],
    ['answers with garbage', framed(Buffer.from('ffffffffffffffff', 'hex'))],
    ['answers with more than 4 KiB', framed(Buffer.alloc(4097, 1))],
  ] as const)
    it(what, LIMIT, async t => failsWhere(t, async to => answerCalls(to, reply)))

  const handlers: Array<[string, (stream: Stream, to: Member) => unknown]> = [
    ['resets the stream', stream => stream.abort(new Error('no'))],
    ['ends the stream without a word', async stream => stream.close()],
    [
      'ends the stream within a word',
      async stream => {
        stream.send(STOP_OK.subarray(0, 3))
        await stream.close()
      },
    ],
    ['goes away', (_, to) => to.connection.abort(new Error('gone'))],
  ]
  for (const [what, onStream] of handlers)
    it(what, LIMIT, async t =>
      failsWhere(t, async to => to.node.handle(STOP, stream => void onStream(stream, to))),
    )

  it('does not speak the protocol', LIMIT, async t => failsWhere(t, async () => {}))
})

async function failsWhere(t: TestContext, prepare: (to: Member) => Promise<void>): Promise<void> {
  const relay = await startRelay(t, { maxCircuits: 1 })
  const [from, to] = [await startVisitor(t, relay), await startMember(t, relay)]
  await prepare(to)
  const refused = nextEvent(relay, 'circuit:refused')
  assert.equal(await statusOf(from.connection, connectTo(to.node.peerId)), 203)
  assert.equal((await refused).reason, 'connection-failed')
  await until(() => relay.circuits === 0, 'the place is free')
  const other = await startMember(t, relay)
  await openCircuit(from, other)
}

describe('a request that', { concurrency: 4 }, () => {
  const peer = (id: Uint8Array): Buffer => framed(Buffer.concat([field(1, 1), field(2, field(1, id))]))
  for (const [what, bytes, status] of [
    ['connects to nobody', framed(field(1, 1)), 400],
    [
      'connects to a peer without an id',
      framed(Buffer.concat([field(1, 1), field(2, Buffer.alloc(0))])),
      400,
    ],
    ['connects to an empty id', peer(Buffer.alloc(0)), 400],
    ['connects to what is no id', peer(Buffer.from('no id')), 400],
    ['connects to a hash that no key has', peer(Buffer.from('1603aabbcc', 'hex')), 400],
    ['is garbage', framed(Buffer.from('ffffffffffffffff', 'hex')), 400],
    ['ends within a field', framed(Buffer.of(0x08)), 400],
    ['has bytes where the type belongs', framed(Buffer.of(0x0a, 1, 1)), 400],
    ['nests beyond its end', framed(Buffer.from('0801120a0a03', 'hex')), 400],
    ['is longer than 4 KiB', framed(Buffer.alloc(4097)), 400],
    ['says that it is longer than 4 KiB', Buffer.of(0x81, 0x20), 400],
    ['says that it is longer than there are numbers', Buffer.from('ffffffffffffff7f', 'hex'), 400],
    ['is empty', framed(Buffer.alloc(0)), 401],
    ['has no type', framed(field(5, OK)), 401],
    ['is a STATUS', framed(Buffer.concat([field(1, 2), field(5, OK)])), 401],
    ['has an unknown type', framed(field(1, 77)), 401],
  ] as const)
    it(`${what} is answered ${status}, and the next one as ever`, LIMIT, async t => {
      const relay = await startRelay(t)
      const { connection } = await startVisitor(t, relay)
      const answered = nextEvent(relay, 'request:answered')
      const { fields } = await ask(connection, bytes)
      assert.deepEqual([...fields], [...fieldsOf(Buffer.concat([field(1, 2), field(5, status)]))])
      const name = status === 400 ? 'MALFORMED_MESSAGE' : 'UNEXPECTED_MESSAGE'
      assert.equal((await answered).status, name)
      assert.equal(await statusOf(connection, RESERVE), OK)
    })

  it('ends before it is whole is answered 400', LIMIT, async t => {
    const relay = await startRelay(t)
    const { connection } = await startVisitor(t, relay)
    for (const part of ['', '02', '0208']) {
      const stream = await openHop(connection)
      if (part !== '') stream.send(Buffer.from(part, 'hex'))
      const answer = readAnswer(stream)
      await stream.close()
      assert.equal((await answer).status, 400, `after ${part}`)
    }
  })

  it('is reset by its sender is forgotten', LIMIT, async t => {
    const relay = await startRelay(t)
    const { connection } = await startVisitor(t, relay)
    const stream = await openHop(connection)
    stream.send(Buffer.of(2, 8))
    stream.abort(new Error('never mind'))
    assert.equal(await statusOf(connection, RESERVE), OK)
    await until(() => relay.libp2p.getConnections().every(it => it.streams.length === 0), 'no stream is left')
  })
})
