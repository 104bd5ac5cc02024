/** A relay after much coming and going, in a few seconds what would be an hour: it is as it was before. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { startRelay } from './circuit-stage.ts'
import {
  ask,
  connectTo,
  answerCalls,
  openStreams,
  RESERVE,
  startMember,
  startVisitor,
  statusOf,
  STOP,
  STOP_OK,
} from './hop-client.ts'
import { turns, until } from '../waits.ts'
import type { Connection, Stream } from '@libp2p/interface'
import type { TypedEventEmitter } from 'main-event'
import type { TestContext } from 'node:test'
import type { Relay } from '../../relay/index.ts'
import type { Member } from './hop-client.ts'

const LIMIT = { timeout: 100_000 }
const MEMBERS = 5
const BATCH = 20

/** Limits that leave no place for what was forgotten to be freed. */
const limits = {
  maxCircuits: BATCH,
  maxCircuitsPerPeer: BATCH,
  maxCircuitsPerPair: BATCH,
  maxReservations: MEMBERS + BATCH,
  maxReservationsPerIpv4: MEMBERS + BATCH,
  maxConnectionsPerNetwork: MEMBERS + BATCH,
  connectionsPerSecondPerIp: Infinity,
  reservationsPerSecondPerIp: Infinity,
  circuitsPerSecondPerIp: Infinity,
  peerBytesPerSecond: 1e9,
}

/** What there may not be more of. */
interface Inventory {
  reservations: number
  circuits: number
  connections: number
  streams: number
  /** On the relay's connections, by event. */
  listeners: Record<string, number>
  /** On the relay itself and on its node. */
  ownListeners: number
  timers: number
  knownPeers: number
}

const events = ['close', 'end', 'message', 'drain', 'idle', 'remoteCloseWrite', 'stream']

function listenersOf(connection: Connection): Array<[string, number]> {
  const { maConn, muxer } = connection as unknown as Record<'maConn' | 'muxer', TypedEventEmitter<never>>
  return events.map(name => [
    name,
    (connection as unknown as TypedEventEmitter<never>).listenerCount(name) +
      maConn.listenerCount(name) +
      muxer.listenerCount(name),
  ])
}

async function inventory(relay: Relay): Promise<Inventory> {
  const { libp2p } = relay
  const listeners: Record<string, number> = {}
  for (const connection of libp2p.getConnections()) {
    for (const [name, count] of listenersOf(connection)) listeners[name] = (listeners[name] ?? 0) + count
  }
  const targets = [relay, libp2p] as unknown as Array<TypedEventEmitter<never>>
  const names = [
    'connection:open',
    'connection:close',
    'peer:disconnect',
    'circuit:closed',
    'reservation:ended',
  ]
  return {
    reservations: relay.reservations.size,
    circuits: relay.circuits,
    connections: libp2p.getConnections().length,
    streams: openStreams(relay).length,
    listeners,
    ownListeners: targets
      .flatMap(target => names.map(name => target.listenerCount(name)))
      .reduce((a, b) => a + b),
    timers: process.getActiveResourcesInfo().filter(it => it === 'Timeout').length,
    knownPeers: (await libp2p.peerStore.all()).length,
  }
}

/** Opens a circuit, sends something each way and ends it in one of several ways. */
async function useCircuit(from: Member, to: Member, way: number): Promise<void> {
  const { status, stream } = await ask(from.connection, connectTo(to.node.peerId))
  assert.equal(status, 100)
  const echoed = new Promise<void>((resolve, reject) => {
    stream.addEventListener('message', () => resolve())
    stream.addEventListener('close', ({ error }) => reject(error ?? new Error('closed')))
  })
  stream.send(Buffer.alloc(2000))
  if (way % 4 === 3) {
    // in the middle of it
    stream.abort(new Error('never mind'))
    await echoed.catch(() => {})
    return
  }
  await echoed
  if (way % 4 === 2) stream.abort(new Error('enough'))
  else await stream.close()
}

async function echo(stream: Stream): Promise<void> {
  try {
    for await (const data of stream) stream.send(data)
    await stream.close()
  } catch {
    // reset
  }
}

/** Members who echo whatever comes over a circuit. */
async function startMembers(t: TestContext, relay: Relay): Promise<Member[]> {
  const members = await Promise.all(Array.from({ length: MEMBERS }, async () => startMember(t, relay)))
  for (const member of members) await answerCalls(member, STOP_OK, ({ stream }) => void echo(stream))
  return members
}

async function comeAndGo(members: readonly Member[], circuits: number): Promise<void> {
  for (let n = 0; n < circuits; n += BATCH) {
    const uses = Array.from({ length: BATCH }, async (_, way) => {
      const [from, to] = [members[way % MEMBERS], members[(way + 1 + (n % 3)) % MEMBERS]]
      await useCircuit(from as Member, to as Member, way)
    })
    await Promise.all(uses)
    await until(() => members.every(it => it.connection.streams.length === 0), 'the circuits have ended')
  }
}

async function reserveAndLeave(t: TestContext, relay: Relay, times: number): Promise<void> {
  for (let n = 0; n < times; n += BATCH) {
    const visits = Array.from({ length: BATCH }, async (_, way) => {
      const { node, connection } = await startVisitor(t, relay)
      assert.equal(await statusOf(connection, RESERVE), 100)
      if (way % 2 === 0) connection.abort(new Error('gone'))
      await node.stop()
    })
    await Promise.all(visits)
    await until(() => relay.reservations.size === MEMBERS, 'the reservations have ended')
    await until(() => relay.libp2p.getConnections().length === MEMBERS, 'the connections have ended')
  }
}

describe('a relay is as it was', () => {
  it('after 500 circuits and 200 reservations that came and went', LIMIT, async t => {
    const relay = await startRelay(t, limits)
    const members = await startMembers(t, relay)
    await comeAndGo(members, 40)
    await reserveAndLeave(t, relay, 20)
    const before = await rest(relay, undefined)
    await comeAndGo(members, 500)
    await reserveAndLeave(t, relay, 200)
    await rest(relay, before)
    assert.deepEqual([before.reservations, before.circuits, before.streams], [MEMBERS, 0, 0])
    // all places are free
    await comeAndGo(members, BATCH)
    await reserveAndLeave(t, relay, BATCH)
  })

  it('after 400 circuits that failed, for one reason or another', LIMIT, async t => {
    const relay = await startRelay(t, limits)
    const members = await startMembers(t, relay)
    const [first, ...others] = members as [Member, ...Member[]]
    const replies = [Buffer.of(4, 8, 1, 0x20, 203), Buffer.of(1, 255), Buffer.alloc(0)]
    let n = 0
    const fail = async (stream: Stream): Promise<void> => {
      const reply = replies[n++ % replies.length] ?? Buffer.alloc(0)
      if (reply.byteLength === 0) stream.abort(new Error('no'))
      else {
        stream.send(reply)
        await stream.close().catch(() => {})
      }
    }
    await first.node.handle(STOP, fail, { maxInboundStreams: Infinity, force: true })
    const connectAndFail = async (times: number): Promise<void> => {
      for (let sent = 0; sent < times; sent += BATCH) {
        const failures = Array.from({ length: BATCH }, async (_, at) => {
          const from = others[at % others.length] as Member
          assert.equal(await statusOf(from.connection, connectTo(first.node.peerId)), 203)
        })
        await Promise.all(failures)
      }
    }
    await connectAndFail(40)
    const before = await rest(relay, undefined)
    await connectAndFail(400)
    await rest(relay, before)
  })

  it('in memory, after 1000 circuits', LIMIT, async t => {
    const relay = await startRelay(t, limits)
    const members = await startMembers(t, relay)
    await comeAndGo(members, 500)
    const before = heapUsed()
    await comeAndGo(members, 1000)
    // 2 KiB for each circuit would be a leak
    await until(() => heapUsed() - before < 2 * 1024 * 1024, 'the heap is as large as before')
  })
})

/** Resolves with what there is when no stream is open; asserts that it is no more than `before`. */
async function rest(relay: Relay, before: Inventory | undefined): Promise<Inventory> {
  await until(() => openStreams(relay).length === 0 && relay.circuits === 0, 'nothing is under way')
  let now = await inventory(relay)
  // no event tells of the end of a timer; the assertions below say what is left at the deadline
  const deadline = performance.now() + 15_000
  while (
    before !== undefined &&
    performance.now() < deadline &&
    (now.timers > before.timers || now.knownPeers > before.knownPeers)
  ) {
    await turns(1)
    now = await inventory(relay)
  }
  if (before !== undefined) {
    // some timers may have ended since
    assert.deepEqual({ ...now, timers: 0 }, { ...before, timers: 0 })
    assert.ok(now.timers <= before.timers, `${now.timers} timers, of ${before.timers}`)
  }
  return now
}

function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().heapUsed
}
