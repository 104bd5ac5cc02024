/**
 * Remotes that mean harm: they name addresses that are not theirs, and begin punches without end. Whatever they do, our
 * node connects to nobody else, sends a bounded number of SYNs to any one address, and goes on serving others.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DIALS_PER_ADDRESS, DIALS_PER_SECOND } from '../../src/holepunch/punch/punch-budget.ts'
import { createStage } from './stage.ts'
import { countSyns } from './syn-counter.ts'
import type { Host } from './net/network.ts'
import type { Remote } from './remote.ts'
import type { Stage } from './stage.ts'
import type { SynCounter } from './syn-counter.ts'

const DELAY = { delayMs: 20 }
const LIMIT = { timeout: 120_000 }

/** The name of our peer in its program. */
const name = 'own'

/** What a remote can fit into one message of 4 KiB. */
const MANY = 380

/** A SYN that is not answered is sent up to five times while a punch lasts: at once, and after each second. */
const SYNS_PER_DIAL = 5

interface World {
  stage: Stage
  own: Remote
  hostile: Remote
  /** Where our peer is reached. */
  target: string
  /** Somebody who has nothing to do with all this, and refuses what comes. */
  victim: Host
}

async function createWorld(): Promise<World> {
  const stage = await createStage(DELAY)
  try {
    const own = await stage.place('own', 'eim-apdf-drop')
    const hostile = await stage.place('hostile', 'none', 'hostile-agent')
    const victim = await stage.net.addHost('victim')
    const init = { name, relays: [stage.relayAddr()], reserve: true }
    const { addrs } = await own.do<{ addrs: string[] }>('peer', init)
    const target = addrs.find(it => it.includes('p2p-circuit'))
    assert.ok(target !== undefined)
    return { stage, own, hostile, target, victim }
  } catch (error) {
    await stage[Symbol.asyncDispose]()
    throw error
  }
}

async function create(hostile: Remote, init: object): Promise<Array<{ peerId: string; addrs: string[] }>> {
  const { peers } = await hostile.do<{ peers: Array<{ peerId: string; addrs: string[] }> }>('create', init)
  return peers
}

const circuitOf = (peer: { addrs: string[] } | undefined): string | undefined =>
  peer?.addrs.find(it => it.includes('p2p-circuit'))

const portsOf = (address: string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `/ip4/${address}/tcp/${2_000 + n}`)

/** The reasons for which upgrades have failed so far. */
const reasonsOf = (own: Remote): unknown[] =>
  own.events.filter(it => it.event === 'holepunch:failed').map(it => it['reason'])

/** All that has been dialled so far because it was named. */
function candidatesOf(own: Remote): unknown[] {
  const attempts = own.events.filter(it => it.event === 'holepunch:attempt')
  assert.ok(attempts.length > 0)
  return [...new Set(attempts.flatMap(it => it['candidates'] as unknown[]))]
}

/** Resolves when this many upgrades have failed. */
async function failures(own: Remote, count: number): Promise<unknown[]> {
  while (reasonsOf(own).length < count) await own.next(it => it.event === 'holepunch:failed', 60_000)
  return reasonsOf(own)
}

/** Asserts what one address may be sent: refused dials cost one SYN each. */
function assertBounded(syns: SynCounter): void {
  const most = DIALS_PER_ADDRESS + DIALS_PER_SECOND * (syns.seconds + 1)
  assert.ok(syns.count <= most, `${syns.count} SYNs in ${syns.seconds} s, of ${most}`)
}

/** Somebody honest gets a direct connection to our peer, and data crosses it. */
async function assertServes({ stage, own, target }: World): Promise<void> {
  const dialer = await stage.place('honest', 'eim-apdf-drop')
  await dialer.do('peer', { name, relays: [stage.relayAddr()], reserve: false })
  await dialer.do('connect', { name, target })
  assert.partialDeepStrictEqual(await dialer.do<object>('direct', { name }), { path: 'direct' })
  assert.partialDeepStrictEqual(await dialer.do<object>('echo', { name, bytes: 100_000 }), { path: 'direct' })
  assert.equal(own.stderr, '')
}

/** Asserts that our peer has become direct with nobody so far. */
function assertDirectWithNobody(own: Remote): void {
  const direct = own.events.filter(it => it.event === 'holepunch:succeeded' || it['path'] === 'direct')
  assert.deepEqual(direct, [])
}

async function scene(title: string, play: (world: World) => Promise<void>): Promise<void> {
  const world = await createWorld()
  await using stage = world.stage
  await stage.net.capture([world.victim])
  await stage.evident(title, async () => play(world))
}

describe('the address of somebody else', { concurrency: 2 }, () => {
  it('that a remote names 380 times is dialled a bounded number of times', LIMIT, async () => {
    await scene('one remote names a victim', async world => {
      const { own, hostile, target, victim } = world
      const syns = await countSyns(victim)
      await create(hostile, {
        name: 'liar',
        relays: [world.stage.relayAddr()],
        addrs: portsOf(victim.address, MANY),
      })
      await hostile.do('open', { name: 'liar', target })
      assert.deepEqual(await failures(own, 1), ['throttled'])
      assert.ok(syns.count > 0)
      assertBounded(syns)
      assertDirectWithNobody(own)
      await assertServes(world)
    })
  })

  it('that a remote names on circuit after circuit is dialled a bounded number of times', LIMIT, async () => {
    await scene('a remote reopens circuits', async world => {
      const { own, hostile, target, victim } = world
      const syns = await countSyns(victim)
      await create(hostile, { name: 'liar', addrs: portsOf(victim.address, 8) })
      await hostile.do('reopen', { name: 'liar', target, times: 40 }, 60_000)
      await failures(own, 30)
      assert.ok(syns.count > 0)
      assertBounded(syns)
      // whoever closes the circuit at once has the attempt counted all the same
      assert.ok(reasonsOf(own).filter(it => it === 'throttled').length >= 20, String(reasonsOf(own)))
      await assertServes(world)
    })
  })

  it('that forty remotes name at once is dialled a bounded number of times', LIMIT, async () => {
    await scene('sybils name a victim', async world => {
      const { own, hostile, target, victim } = world
      const syns = await countSyns(victim)
      await create(hostile, { name: 'liar', count: 40, addrs: portsOf(victim.address, 8) })
      assert.deepEqual(await hostile.do('open', { name: 'liar', target }), { id: 2, opened: 40 })
      await failures(own, 40)
      assert.ok(syns.count >= DIALS_PER_ADDRESS / 2, `${syns.count} SYNs`)
      assertBounded(syns)
      assertDirectWithNobody(own)
      await assertServes(world)
    })
  })

  it('that does not answer is not dialled more often by the repetitions of the kernel', LIMIT, async () => {
    await scene('sybils name a silent victim', async world => {
      const { stage, own, hostile, target } = world
      const silent = await stage.net.addNat('silent', 'eim-apdf-drop')
      const syns = await countSyns(silent)
      await create(hostile, { name: 'liar', count: 40, addrs: portsOf(silent.publicAddress, 8) })
      await hostile.do('open', { name: 'liar', target })
      await failures(own, 40)
      const first = syns.count
      const begun = performance.now()
      assert.ok(first > DIALS_PER_ADDRESS && first <= DIALS_PER_ADDRESS * SYNS_PER_DIAL, `${first} SYNs`)
      // what was repeated is owed: nothing more but what the time that passes allows, or what had been left of it
      await hostile.do('open', { name: 'liar', target })
      assert.ok((await failures(own, 80)).slice(40).every(it => it === 'throttled'))
      const more = syns.count - first
      const seconds = (performance.now() - begun) / 1_000
      const left = DIALS_PER_ADDRESS + DIALS_PER_SECOND * syns.seconds - first
      const most = Math.max(DIALS_PER_SECOND * seconds, left)
      assert.ok(more <= most, `${more} SYNs more in ${seconds} s, after ${first}, of ${most}`)
      await assertServes(world)
    })
  })

  it('where another peer answers makes no connection to that one', LIMIT, async () => {
    await scene('an impostor answers', async world => {
      const { stage, own, hostile, target, victim } = world
      const innocent = stage.enter(victim, 'hostile-agent')
      const addrs = [`/ip4/${victim.address}/tcp/4001`]
      await create(innocent, { name: 'innocent', listen: addrs })
      // as responder our peer waits for a client there, meets another server, takes the client's part, and sees who is there
      await create(hostile, { name: 'liar', addrs })
      await hostile.do('open', { name: 'liar', target })
      assert.deepEqual(await failures(own, 1), ['wrong-peer'])
      // as initiator it sees that at once
      const [other] = await create(hostile, { name: 'other', relays: [stage.relayAddr()], addrs })
      await own.do('connect', { name, target: circuitOf(other) })
      await hostile.do('exchanges', { name: 'other', times: 5, addrs })
      assert.deepEqual(await failures(own, 2), ['wrong-peer', 'wrong-peer'])
      assertDirectWithNobody(own)
      assert.deepEqual(await innocent.do('direct', { name: 'innocent' }), { id: 2, addrs: [] })
      await assertServes(world)
    })
  })
})

describe('addresses that are nobody’s business', () => {
  it(
    'are not dialled: neighbours, the router’s pages, loopback, multicast, port 0, names, circuits',
    LIMIT,
    async () => {
      await scene('addresses near us', async world => {
        const { stage, own, hostile, target, victim } = world
        const nat = own.host.behind
        assert.ok(nat !== undefined)
        const router = own.host.address.replace(/\d+$/, '1')
        const syns = await countSyns(own.host, `src host ${own.host.address}`)
        // the first one says that it is behind the same NAT, and the last but one is a neighbour that may be a peer
        const [shared, neighbour] = [`/ip4/${nat.publicAddress}/tcp/2000`, `/ip4/${router}/tcp/8080`]
        const addrs = [
          shared,
          `/ip4/${router}/tcp/80`,
          '/ip4/127.0.0.1/tcp/2000',
          '/ip4/224.0.0.1/tcp/2000',
          '/ip4/255.255.255.255/tcp/2000',
          '/ip4/0.0.0.0/tcp/2000',
          `/ip4/${victim.address}/tcp/0`,
          '/dns4/localhost/tcp/2000',
          `${stage.relayAddr()}/p2p-circuit`,
          neighbour,
          '/ip4/10.9.9.9/tcp/8080',
        ]
        await create(hostile, { name: 'liar', addrs })
        await hostile.do('open', { name: 'liar', target })
        await failures(own, 1)
        assert.deepEqual(candidatesOf(own), [shared])
        const relay = `${stage.relay.host.address}:4001`
        const dialled = (): string[] => [...syns.byEndpoint.keys()].filter(it => it !== relay).toSorted()
        assert.deepEqual(dialled(), [`${nat.publicAddress}:2000`])
        // our peer has chosen this one, which may be a neighbour
        const [chosen] = await create(hostile, { name: 'chosen', relays: [stage.relayAddr()], addrs })
        await own.do('connect', { name, target: circuitOf(chosen) })
        await hostile.do('exchanges', { name: 'chosen', times: 1, addrs, timeoutMs: 10_000 })
        await failures(own, 2)
        assert.deepEqual(candidatesOf(own), [shared, neighbour])
        assert.deepEqual(dialled(), [`${nat.publicAddress}:2000`, `${router}:8080`])
        // three attempts of ten
        assert.ok((syns.byEndpoint.get(`${router}:8080`) ?? 0) <= 30)
        assertDirectWithNobody(own)
        await assertServes(world)
      })
    },
  )
})

describe('a remote that breaks the protocol', { concurrency: 2 }, () => {
  it('in every way at once keeps nobody else from becoming direct', LIMIT, async () => {
    await scene('broken protocols', async world => {
      const { own, hostile, target, victim } = world
      const syns = await countSyns(victim)
      const addrs = portsOf(victim.address, 8)
      const behaviours = ['silent', 'garbage', 'endless', 'connect-twice', 'sync-first'] as const
      for (const behaviour of behaviours)
        await create(hostile, { name: behaviour, count: 5, behaviour, addrs })
      await Promise.all(behaviours.map(async it => hostile.do('open', { name: it, target })))
      await assertServes(world)
      // those that are silent take three exchanges of 15 s
      const reasons = await failures(own, 25)
      assert.ok(
        reasons.every(it => it === 'protocol' || it === 'throttled'),
        String(reasons),
      )
      assertBounded(syns)
      await world.stage.relay.do('traffic')
    })
  })

  it('by sixty circuits at once keeps nobody else from becoming direct', LIMIT, async () => {
    await scene('sixty circuits', async world => {
      const { own, hostile, target, victim } = world
      const syns = await countSyns(victim)
      await create(hostile, { name: 'liar', addrs: portsOf(victim.address, 8) })
      // the relay lets it have 64 to one peer
      const circuits = { name: 'liar', target, count: 60 }
      assert.deepEqual(await hostile.do('open', circuits), { id: 2, opened: 60 })
      await assertServes(world)
      await failures(own, 60)
      assertBounded(syns)
    })
  })

  it('by exchanges without end on one circuit is let go on for a while, and no longer', LIMIT, async () => {
    await scene('exchanges without end', async world => {
      const { stage, own, hostile, victim } = world
      const syns = await countSyns(victim)
      const [liar] = await create(hostile, { name: 'liar', relays: [stage.relayAddr()] })
      await own.do('connect', { name, target: circuitOf(liar) })
      const addrs = portsOf(victim.address, 8)
      const { answered } = await hostile.do<{ answered: number }>(
        'exchanges',
        { name: 'liar', times: 50, addrs },
        100_000,
      )
      assert.ok(answered >= 1 && answered <= 4, `${answered} exchanges`)
      await failures(own, 1)
      assert.deepEqual(await hostile.do('circuits', { name: 'liar' }), { id: 3, open: 1 })
      assertBounded(syns)
      await assertServes(world)
    })
  })
})
