/**
 * What befalls a network that somebody works in: relays die, cables are pulled, routers forget, machines sleep and move. A peer is reachable again, and
 * direct again, without the application doing anything.
 *
 * The cast: a listener and a dialer behind a NAT each, two relays, and a stranger on a public host, who tells whether the listener can be reached.
 */

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { createNetwork } from './net/network.ts'
import { Stage } from './stage.ts'
import { Remote } from './remote.ts'
import type { Host } from './net/network.ts'
import type { TestContext } from 'node:test'

const DELAY = { delayMs: 20 }
const PORT = 4001

/** How soon a peer is back after its network has returned, in milliseconds. */
const BACK_WITHIN_MS = 10_000

/** How soon a peer is reachable again after its relay has returned, in milliseconds. */
const RELAY_BACK_WITHIN_MS = 5_000

/** How often the stranger calls while the listener is awaited, and how long one call may take, in milliseconds. */
const VISIT = { pauseMs: 100, timeoutMs: 2_000 } as const

/** A visit takes longer than this: so many strangers take turns, and one comes each time. */
const STRANGERS = 5
const VISITS_EVERY_MS = 200

/** How long the reservation of a peer that falls asleep lasts, in milliseconds. */
const RESERVATION_MS = 20_000

const name = 'x'

interface Visits {
  visits: number
  failures: string[]
}

interface World {
  stage: Stage
  listener: Remote
  dialer: Remote
  stranger: Remote
  /** The listener's peer id. */
  target: string
  relays: readonly RelayHost[]
}

interface RelayHost {
  remote: Remote
  addr: string
  init: object
}

async function createWorld(t: TestContext, { relayCount = 1, relayInit = {} } = {}): Promise<World> {
  const net = await createNetwork(DELAY)
  t.after(async () => net.close())
  const relays: RelayHost[] = []
  for (let n = 1; n <= relayCount; n++) {
    const dataDir = await mkdtemp(join(tmpdir(), 'throughnat-relay-'))
    t.after(async () => rm(dataDir, { recursive: true, force: true }))
    relays.push(await startRelay(await net.addHost(`relay${n}`), { ...relayInit, dataDir }))
  }
  const [relay] = relays
  assert.ok(relay !== undefined)
  const stage = new Stage(net, relay.remote, [relay.addr])
  const addrs = relays.map(({ addr }) => addr)
  const listener = await stage.place('listener', 'eim-apdf-drop')
  const dialer = await stage.place('dialer', 'eim-apdf-drop')
  const stranger = stage.enter(await net.addHost('stranger'))
  const { peerId } = await listener.do<{ peerId: string }>('peer', { name, relays: addrs, reserve: true })
  for (const remote of [dialer, stranger]) await remote.do('peer', { name, relays: addrs, reserve: false })
  return { stage, listener, dialer, stranger, target: peerId, relays }
}

async function startRelay(host: Host, init: object): Promise<RelayHost> {
  const remote = new Remote(host)
  const { addrs } = await remote.do<{ addrs: string[] }>('relay', {
    listen: [`/ip4/${host.address}/tcp/${PORT}`],
    ...init,
  })
  assert.ok(addrs[0] !== undefined)
  return { remote, addr: addrs[0], init }
}

/** The dialer connects, and the path becomes direct. */
async function goDirect({ dialer, target }: World): Promise<void> {
  await dialer.do('connect', { name, target })
  const { path } = await dialer.do<{ path: string }>('direct', { name })
  assert.equal(path, 'direct')
}

/** Resolves with how long it took, in milliseconds, until the stranger got through to the listener. */
async function untilReachable({ stranger, target }: World, withinMs: number): Promise<number> {
  return until(withinMs, async () => stranger.do('visit', { name, target }, VISIT.timeoutMs))
}

/** Resolves with how long it took until the dialer's connection, which was there all the time, carried data. */
async function untilCarrying({ dialer }: World, withinMs: number): Promise<number> {
  return until(withinMs, async () => dialer.do('echo', { name, bytes: 10_000 }, VISIT.timeoutMs))
}

/** Resolves with how long it took until the dialer's connection was direct again. */
async function untilDirect({ dialer }: World, withinMs: number): Promise<number> {
  return until(withinMs, async () => dialer.do('direct', { name }, withinMs))
}

async function until(withinMs: number, attempt: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  for (;;) {
    try {
      await attempt()
      return performance.now() - startedAt
    } catch (error) {
      const elapsedMs = performance.now() - startedAt
      if (elapsedMs > withinMs) throw new Error(`not within ${withinMs} ms`, { cause: error })
      await pause(VISIT.pauseMs)
    }
  }
}

/** All that has to come back. The old path counts as direct until it is noticed that it is gone, so the direct one is awaited last. */
async function assertBack(t: TestContext, world: World): Promise<void> {
  const [reachable, carrying] = await Promise.all([
    untilReachable(world, BACK_WITHIN_MS),
    untilCarrying(world, BACK_WITHIN_MS),
  ])
  const direct = carrying + (await untilDirect(world, 2 * BACK_WITHIN_MS))
  const told = [reachable, carrying, direct].map(Math.round)
  t.diagnostic(`reachable after ${told[0]} ms, carrying ${told[1]} ms, direct ${told[2]} ms`)
  for (const ms of [reachable, carrying]) assert.ok(ms < BACK_WITHIN_MS, `${ms} ms`)
}

describe('a peer', { concurrency: 3 }, () => {
  it('is reachable again within 5 s after its relay was killed and started again', async t => {
    const world = await createWorld(t)
    await world.stage.evident('relay restarted', async () => {
      await untilReachable(world, BACK_WITHIN_MS)
      for (const downMs of [300, 7_000]) {
        const [relay] = world.relays
        assert.ok(relay !== undefined)
        relay.remote.kill('SIGKILL')
        // how long there is no relay is what varies here
        await pause(downMs)
        world.relays = [await startRelay(relay.remote.host, relay.init)]
        const ms = await untilReachable(world, RELAY_BACK_WITHIN_MS)
        t.diagnostic(`down for ${downMs} ms: reachable after ${Math.round(ms)} ms`)
        assert.ok(ms < RELAY_BACK_WITHIN_MS, `${ms} ms`)
      }
    })
  })

  it('with two relays is never unreachable when one is killed', async t => {
    const world = await createWorld(t, { relayCount: 2 })
    await world.stage.evident('one of two relays killed', async () => {
      const { stranger, target, listener } = world
      await untilReachable(world, BACK_WITHIN_MS)
      const held = (): number => listener.events.filter(it => it.event === 'reservation:granted').length
      await until(BACK_WITHIN_MS, async () => assert.equal(held(), 2))
      const strangers = Array.from({ length: STRANGERS }, (_, n) => `stranger ${n}`)
      const relays = world.relays.map(({ addr }) => addr)
      for (const each of strangers) await stranger.do('peer', { name: each, relays, reserve: false })
      const visiting = strangers.map(async (each, n) => {
        // one after the other, and not in step
        await pause(n * VISITS_EVERY_MS)
        const rhythm = { everyMs: STRANGERS * VISITS_EVERY_MS, forMs: 10_000 }
        return stranger.do<Visits>('visit-often', { name: each, target, ...rhythm }, 8_000)
      })
      const came = (): number => listener.events.filter(it => it.event === 'peer:connected').length
      const before = came()
      await until(BACK_WITHIN_MS, async () => assert.ok(came() >= before + STRANGERS))
      world.relays[0]?.remote.kill('SIGKILL')
      const all = await Promise.all(visiting)
      const count = all.reduce((sum, { visits }) => sum + visits, 0)
      t.diagnostic(`${count} visits`)
      assert.deepEqual(
        all.flatMap(({ failures }) => failures),
        [],
      )
      assert.ok(count > 20, `${count} visits`)
    })
  })

  it('is back, and direct, after its link was down for 30 s', async t => {
    const world = await createWorld(t)
    await world.stage.evident('link down', async () => {
      await goDirect(world)
      const nat = world.listener.host.behind
      await nat?.setLink('down')
      // a link that is down: nothing happens until it is up again
      await pause(30_000)
      await nat?.setLink('up')
      await assertBack(t, world)
    })
  })

  for (const who of ['listener', 'dialer'] as const)
    it(`is back, and direct, after the ${who} has moved to another network`, async t => {
      const world = await createWorld(t)
      await world.stage.evident(`${who} moved`, async () => {
        await goDirect(world)
        await world[who].host.move(await world.stage.net.addNat('elsewhere', 'eim-apdf-rst'))
        await assertBack(t, world)
      })
    })

  it('is back, and direct, each time that the listener changes between two networks while data is sent', async t => {
    const world = await createWorld(t)
    await world.stage.evident('listener moved to and fro', async () => {
      await goDirect(world)
      const { dialer, listener } = world
      const home = listener.host.behind
      assert.ok(home !== undefined)
      const elsewhere = await world.stage.net.addNat('elsewhere', 'eim-apdf-rst')
      for (const nat of [elsewhere, home, elsewhere]) {
        await listener.host.move(nat)
        // what is sent now is not acknowledged
        const cut = dialer.do('echo', { name, bytes: 100_000 }, BACK_WITHIN_MS)
        cut.catch(() => {})
        await assertBack(t, world)
      }
    })
  })

  it('is back, and direct, after its NAT has forgotten all connections', async t => {
    const world = await createWorld(t)
    await world.stage.evident('conntrack flushed', async () => {
      await goDirect(world)
      await world.listener.host.behind?.flushConntrack()
      await assertBack(t, world)
    })
  })

  it('is back after it has slept until its reservation expired', async t => {
    const world = await createWorld(t, { relayInit: { reservationTtlMs: RESERVATION_MS } })
    await world.stage.evident('slept', async () => {
      await goDirect(world)
      const [relay] = world.relays
      assert.ok(relay !== undefined)
      world.listener.kill('SIGSTOP')
      const { reason } = await relay.remote.do<{ reason: string }>(
        'reservation-ended',
        {},
        2 * RESERVATION_MS,
      )
      assert.equal(reason, 'expired')
      world.listener.kill('SIGCONT')
      await assertBack(t, world)
    })
  })

  it('that is idle for longer than its NAT remembers stays reachable', async t => {
    const world = await createWorld(t)
    await world.stage.evident('idle', async () => {
      const { listener } = world
      await untilReachable(world, BACK_WITHIN_MS)
      await listener.host.behind?.setIdleTimeout(12)
      const before = await listener.do<{ bytes: number }>('traffic')
      const seconds = 40
      // the time without traffic is what the test is about, three times what the NAT remembers
      await pause(seconds * 1_000)
      const after = await listener.do<{ bytes: number }>('traffic')
      t.diagnostic(
        `keep-alive: ${Math.round(((after.bytes - before.bytes) * 3_600) / seconds / 1024)} KiB an hour`,
      )
      const ms = await untilReachable(world, BACK_WITHIN_MS)
      assert.ok(ms < VISIT.timeoutMs, `at once: ${ms} ms`)
      assert.deepEqual(
        listener.events.filter(it => it.event === 'reservation:lost'),
        [],
      )
    })
  })
})
