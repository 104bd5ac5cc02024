/**
 * A relay that means harm, of two peers that have no other. It can keep them apart, and no more: nothing is believed that
 * it changes on the way, nobody crashes, and what it lies about is dialled a bounded number of times.
 */

import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { DIALS_PER_ADDRESS } from '../../src/holepunch/punch/punch-budget.ts'
import { createNetwork } from './net/network.ts'
import { Remote } from './remote.ts'
import { Stage } from './stage.ts'
import { countSyns } from './syn-counter.ts'
import type { Vice } from './hostile-relay.ts'

const LIMIT = { timeout: 120_000 }
const name = 'own'

interface World {
  stage: Stage
  relay: Remote
  listener: Remote
  dialer: Remote
  /** The listener's address at the relay. */
  target: string
}

async function createWorld(harm: object): Promise<World> {
  const net = await createNetwork({ delayMs: 20 })
  try {
    const relay = new Remote(await net.addHost('relay'), 'hostile-relay')
    const listen = [`/ip4/${relay.host.address}/tcp/4001`]
    const { addrs } = await relay.do<{ addrs: string[] }>('relay', { listen, ...harm })
    const stage = new Stage(net, relay, addrs)
    const listener = await stage.place('listener', 'eim-apdf-drop')
    const dialer = await stage.place('dialer', 'eim-apdf-drop')
    const init = { name, relays: addrs }
    const { peerId } = await listener.do<{ peerId: string }>('peer', { ...init, reserve: true })
    await dialer.do('peer', { ...init, reserve: false })
    return { stage, relay, listener, dialer, target: `${addrs[0]}/p2p-circuit/p2p/${peerId}` }
  } catch (error) {
    await net.close()
    throw error
  }
}

async function scene(title: string, harm: object, play: (world: World) => Promise<void>): Promise<void> {
  const world = await createWorld(harm)
  await using stage = world.stage
  await stage.evident(title, async () => {
    await play(world)
    // whoever was fooled is still there
    for (const { stderr } of [world.listener, world.dialer])
      assert.doesNotMatch(stderr, /unhandled|uncaught/i)
    await Promise.all([world.listener, world.dialer].map(async it => it.do('traffic')))
  })
}

/** Connects and waits for the path to be direct; what it came to, or the error's name. */
async function outcome({ dialer, target }: World, name = 'own'): Promise<string> {
  try {
    await dialer.do('connect', { name, target })
    const { path } = await dialer.do<{ path: string }>('direct', { name }, 60_000)
    return path
  } catch (error) {
    const { name: errorName, reason } = error as Error & { reason?: string }
    return reason ?? errorName
  }
}

/** Starts another peer on the dialer's host; resolves with its name. */
async function enter({ stage, dialer }: World, name: string): Promise<string> {
  await dialer.do('peer', { name, relays: [stage.relayAddr()], reserve: false })
  return name
}

/** libp2p takes five connections a second from one address, the relay's: whoever was kept out comes again. */
async function connectAtLast({ dialer, target }: World, name: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await dialer.do('connect', { name, target })
      return
    } catch (error) {
      if (tries === MOST_TRIES) throw error
      await pause(1_000)
    }
  }
}

const MOST_TRIES = 5

const isHarmless = (came: string): boolean =>
  ['direct', 'protocol', 'circuit-closed', 'timed-out', 'not-supported', 'UnreachableError'].includes(came)

describe('a relay that', { concurrency: 2 }, () => {
  it('is honest lets the two become direct: the program works', LIMIT, async () => {
    await scene('an honest hostile relay', { vice: 'honest', after: 0 }, async world => {
      assert.equal(await outcome(world), 'direct')
    })
  })

  for (const vice of ['drop', 'duplicate', 'swap', 'tamper', 'stall'] satisfies Vice[])
    it(`does ${vice} to the bytes of a circuit keeps the two apart and does no harm`, LIMIT, async () => {
      // from the first byte; in the handshake; in the exchange
      for (const after of [0, 300, 1_000]) {
        await scene(`relay ${vice} after ${after}`, { vice, after }, async world => {
          const came = await outcome(world)
          assert.ok(isHarmless(came), came)
          // somebody else comes once it is honest, and all is well
          await world.relay.do('harm', { vice: 'honest', after: 0 })
          await connectAtLast(world, await enter(world, 'another'))
          assert.equal(await outcome(world, 'another'), 'direct')
        })
      }
    })

  it(
    "tells the listener another one's address has that one dialled a bounded number of times",
    LIMIT,
    async () => {
      await scene('a victim is announced', { vice: 'honest', after: 0 }, async world => {
        const { stage, relay, dialer, listener } = world
        const victim = await stage.net.addHost('victim')
        const syns = await countSyns(victim)
        // the dialer has been told the truth, or it would take the victim's address for its own
        const relays = [stage.relayAddr()]
        await dialer.do('peer', { name: 'early', relays, reserve: true })
        await relay.do('harm', { observed: `/ip4/${victim.address}/tcp/2000` })
        const fooled = await listener.do<{ peerId: string }>('peer', {
          name: 'fooled',
          relays,
          reserve: true,
        })
        const target = `${stage.relayAddr()}/p2p-circuit/p2p/${fooled.peerId}`
        const came = await outcome({ ...world, target }, 'early')
        assert.ok(['refused', 'timed-out', 'throttled'].includes(came), came)
        assert.ok(syns.count > 0 && syns.count <= DIALS_PER_ADDRESS, `${syns.count} SYNs`)
      })
    },
  )

  it('says that it sees us on our own host has nothing dialled there', LIMIT, async () => {
    const observed = '/ip4/127.0.0.1/tcp/2000'
    await scene('loopback is announced', { vice: 'honest', after: 0, observed }, async world => {
      const came = await outcome(world)
      assert.equal(came, 'no-remote-candidates')
      for (const { events } of [world.listener, world.dialer])
        assert.ok(!events.some(it => it.event === 'holepunch:attempt'))
    })
  })
})
