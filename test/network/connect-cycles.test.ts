/**
 * Peers that connect, become direct and part, a thousand times over: what is left is what was there before.
 *
 * On loopback the circuit is replaced by a connection that the responder dials, which takes the same way through
 * src/holepunch as a punch, but for the exchange.
 */

import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { queryObjects, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createPeer } from '../../peer/index.ts'
import { CloseWhenIdle } from '../../src/holepunch/paths/close-when-idle.ts'
import { Upgrade } from '../../src/holepunch/upgrade.ts'
import { startRelay } from './circuit-stage.ts'
import { until } from '../waits.ts'
import type { Peer } from '../../peer/index.ts'
import type { TypedEventEmitter } from 'main-event'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 600_000 }
const CYCLES = 1_000
const WARM_UP = 100

/** Peers on each side. They take turns, since libp2p takes five connections a second from one address, and all have the same. */
const PEERS = 20

/** 1 KiB for each cycle would be a leak; the collector's own wavering is less. */
const MOST_GROWTH_BYTES = CYCLES * 1024

/** An upgrade lives as long as its circuit and the grace period after it (`GRACE_MS`). */
const REST_WITHIN_MS = 30_000

const within = (ms: number): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(ms) })

interface Stage {
  dialers: Peer[]
  listeners: Peer[]
}

async function createStage(t: TestContext): Promise<Stage> {
  const relay = await startRelay(t, { connectionsPerSecondPerIp: Infinity, circuitsPerSecondPerIp: Infinity })
  const start = async (reserve: boolean): Promise<Peer> => {
    const peer = await createPeer({ relays: relay.addrs, reserve })
    t.after(() => peer.stop())
    return peer
  }
  const both = [true, false].map(async reserve =>
    Promise.all(Array.from({ length: PEERS }, async () => start(reserve))),
  )
  const [listeners = [], dialers = []] = await Promise.all(both)
  await Promise.all(listeners.map(async it => it.reachable(within(20_000))))
  return { dialers, listeners }
}

/** Every third parts while it is relayed. */
async function comeAndGo({ dialers, listeners }: Stage, cycles: number): Promise<void> {
  // one for all: what each cycle leaves on it would be counted, and its time-outs would not
  const { signal } = new AbortController()
  let direct = 0
  for (let n = 0; n < cycles; n++) {
    const dialer = dialers[n % PEERS]!
    const listener = listeners[(n + Math.floor(n / PEERS)) % PEERS]!
    const connection = await dialer.connect(listener.peerId, { signal })
    if (n % 3 !== 0) {
      await connection.direct({ signal })
      await connection.ping({ signal })
      direct++
    }
    await connection.close({ signal })
  }
  assert.equal(direct, cycles - Math.ceil(cycles / 3))
}

/** What there may not be more of. */
interface Inventory {
  upgrades: number
  retirements: number
  connections: number
  signals: number
  listeners: number
  timers: number
}

const EVENTS = [
  'connection:open',
  'connection:close',
  'peer:identify',
  'peer:connect',
  'peer:disconnect',
  'path:changed',
  'peer:connected',
  'peer:disconnected',
  'holepunch:started',
  'holepunch:succeeded',
  'holepunch:failed',
  'reservation:granted',
]

/** How many objects of a class there are after a collection. */
function countOf(constructor: Function): number {
  return Number(queryObjects(constructor))
}

function inventory({ dialers, listeners }: Stage): Inventory {
  const peers = [...dialers, ...listeners]
  const emitters = peers.flatMap(it => [it, it.libp2p]) as unknown as Array<TypedEventEmitter<never>>
  return {
    upgrades: countOf(Upgrade),
    retirements: countOf(CloseWhenIdle),
    connections: peers.flatMap(it => it.libp2p.getConnections()).length,
    signals: countOf(AbortSignal),
    listeners: emitters.flatMap(it => EVENTS.map(name => it.listenerCount(name))).reduce((a, b) => a + b),
    timers: process.getActiveResourcesInfo().filter(it => it === 'Timeout').length,
  }
}

/** Resolves when all circuits are gone, and what was made for them. */
async function rest(stage: Stage): Promise<Inventory> {
  await until(
    () => [...stage.dialers, ...stage.listeners].every(it => it.libp2p.getConnections().length <= 1),
    'every peer is connected to the relay alone',
    REST_WITHIN_MS,
  )
  return settled(() => countOf(Upgrade) === 0 && countOf(CloseWhenIdle) === 0, stage)
}

/** Counting objects collects garbage, which takes a while: once a second is enough. */
async function settled(condition: () => boolean, stage: Stage): Promise<Inventory> {
  const givenUpAt = performance.now() + REST_WITHIN_MS
  while (!condition() && performance.now() < givenUpAt) await pause(1_000)
  return inventory(stage)
}

function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().heapUsed
}

describe('peers are as they were', () => {
  it(`after ${CYCLES} times of connecting, becoming direct and parting`, LIMIT, async t => {
    const stage = await createStage(t)
    await comeAndGo(stage, WARM_UP)
    const before = await rest(stage)
    const heapBefore = heapUsed()
    await comeAndGo(stage, CYCLES)
    const after = await rest(stage)
    assert.deepEqual({ ...after, timers: 0, signals: 0 }, { ...before, timers: 0, signals: 0 })
    // some of those that were there before may have ended
    assert.ok(after.timers <= before.timers + PEERS, `${after.timers} timers, of ${before.timers}`)
    // time-outs of 20 s keep theirs for as long
    const { signals } = await settled(() => countOf(AbortSignal) < before.signals + CYCLES / 2, stage)
    assert.ok(signals < before.signals + CYCLES / 2, `${signals} signals, of ${before.signals}`)
    const grown = heapUsed() - heapBefore
    assert.ok(grown < MOST_GROWTH_BYTES, `${grown} bytes more`)
  })
})
