/**
 * Strangers and relays that name addresses inside our peer's network, to learn what is there: no packet goes to any of them. The addresses in
 * our own networks are dialled for a peer that a rule names, or that our peer has dialled.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { natKinds } from './net/network.ts'
import { createStage } from './stage.ts'
import { watchDials } from './dial-watch.ts'
import type { Host, Nat, NatKind } from './net/network.ts'
import type { DialWatch } from './dial-watch.ts'
import type { Remote } from './remote.ts'
import type { Stage } from './stage.ts'

const LIMIT = { timeout: 120_000 }

/** The name of our peer in its program. */
const name = 'own'

/** Its network has unique local addresses, too. */
const ULA = { own: 'fd77::2', neighbour: 'fd77::9' }

/** A port where a service may listen. */
const PORT = 8080

interface World {
  stage: Stage
  nat: Nat
  own: Remote
  /** Another host of the same LAN, which has nothing to do with all this. */
  neighbour: Host
  dials: DialWatch
}

async function createWorld(kind: NatKind): Promise<World> {
  const stage = await createStage({ delayMs: 20 })
  try {
    const nat = await stage.net.addNat('home', kind)
    const own = await stage.placeBehind('own', nat)
    const neighbour = await stage.net.addHost('neighbour', { behind: nat })
    await own.host.namespace.ip([`addr add ${ULA.own}/64 dev ${own.host.device} nodad`])
    await neighbour.namespace.ip([`addr add ${ULA.neighbour}/64 dev ${neighbour.device} nodad`])
    return { stage, nat, own, neighbour, dials: await watchDials(own.host) }
  } catch (error) {
    await stage[Symbol.asyncDispose]()
    throw error
  }
}

async function scene(
  title: string,
  play: (world: World) => Promise<void>,
  kind: NatKind = { ...natKinds['eim-apdf-drop'], ipv6: natKinds.firewall6.ipv6 },
): Promise<void> {
  const world = await createWorld(kind)
  await using stage = world.stage
  await stage.net.capture([world.neighbour])
  await stage.evident(title, async () => play(world))
}

const addrOf = (host: string, port = PORT): string => `/ip${host.includes(':') ? 6 : 4}/${host}/tcp/${port}`
const endpointOf = (host: string, port = PORT): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** Hosts of the networks that our peer is in. */
const near = ({ neighbour }: World): string[] => [neighbour.address, ULA.neighbour]

/** Hosts of the same link, with addresses that the firewall of the network protects. */
const protectedBy = ({ own, neighbour }: World): string[] => [own.host.address6, neighbour.address6]

/** What is never dialled, for nobody. */
function never({ own, neighbour }: World): string[] {
  return [
    // our peer itself
    own.host.address,
    ULA.own,
    '127.0.0.1',
    '::1',
    // other private networks, and a carrier's
    '10.9.9.9',
    '172.16.9.9',
    '192.168.199.9',
    '100.64.9.9',
    'fd99::9',
    // the metadata services of clouds, and other link-local addresses
    '169.254.169.254',
    '169.254.7.7',
    'fd00:ec2::254',
    'fe80::9',
    // a neighbour in other words
    `::ffff:${neighbour.address}`,
    `64:ff9b::${neighbour.address}`,
  ]
}

/** What a remote names: that it shares our public address, and this. At most eight addresses of an offer are dialled. */
function offers({ nat }: World, hosts: readonly string[]): string[][] {
  const shared = [addrOf(nat.publicAddress, 2000)]
  const all = hosts.map(it => addrOf(it))
  return Array.from({ length: Math.ceil(all.length / 7) }, (_, n) => [
    ...shared,
    ...all.slice(7 * n, 7 * n + 7),
  ])
}

/** Where our peer has connected, but for the relay and the address that is named as shared. */
async function dialled({ stage, nat, dials }: World): Promise<string[]> {
  const { address, address6 } = stage.relay.host
  const usual = [endpointOf(address, 4001), endpointOf(address6, 4001), endpointOf(nat.publicAddress, 2000)]
  return (await dials.endpoints()).filter(it => !usual.includes(it))
}

async function startOwn(
  { stage, own }: World,
  rank: 'named' | 'stranger',
  family: 4 | 6 = 4,
): Promise<string> {
  const init = { name, relays: [stage.relayAddr(family)], reserve: true, rank }
  const { addrs } = await own.do<{ addrs: string[] }>('peer', init)
  const target = addrs.find(it => it.includes('p2p-circuit'))
  assert.ok(target !== undefined)
  return target
}

/** Resolves when this many upgrades of our peer have failed. */
async function failures({ own }: World, count: number): Promise<void> {
  const failed = (): number => own.events.filter(it => it.event === 'holepunch:failed').length
  while (failed() < count) await own.next(it => it.event === 'holepunch:failed', 60_000)
}

/** Has remotes connect, one for each offer, and name what they offer. */
async function visitWith(world: World, target: string, all: string[][]): Promise<void> {
  const hostile = await world.stage.place('hostile', 'none', 'hostile-agent')
  for (const [n, addrs] of all.entries()) await hostile.do('create', { name: `liar${n}x`, addrs })
  for (const n of all.keys()) await hostile.do('open', { name: `liar${n}x`, target })
  await failures(world, all.length)
}

/** A peer in the same network connects, and becomes direct. Resolves with the address that it has dialled. */
async function visitFromHome(world: World, target: string, family: 4 | 6): Promise<string> {
  const { stage, nat } = world
  const dialer = await stage.placeBehind('dialer', nat)
  await dialer.do('peer', { name, relays: [stage.relayAddr(family)], reserve: false })
  await dialer.do('connect', { name, target })
  const { path, remoteAddr } = await dialer.do<{ path: string; remoteAddr: string }>('direct', { name })
  assert.equal(path, 'direct')
  assert.partialDeepStrictEqual(await dialer.do<object>('echo', { name, bytes: 100_000 }), { path })
  return remoteAddr
}

describe('addresses inside the network of our peer', { concurrency: 2 }, () => {
  it('are sent nothing for a stranger', LIMIT, async () => {
    await scene('a stranger scans', async world => {
      const target = await startOwn(world, 'stranger')
      const hosts = [...near(world), ...protectedBy(world), ...never(world)]
      await visitWith(world, target, offers(world, hosts))
      assert.deepEqual(await dialled(world), [])
    })
  })

  it('are sent nothing but in our own networks for a peer that a rule names', LIMIT, async () => {
    await scene('a named peer scans', async world => {
      const target = await startOwn(world, 'named')
      await visitWith(world, target, offers(world, [...near(world), ...never(world)]))
      assert.deepEqual(
        await dialled(world),
        near(world)
          .map(it => endpointOf(it))
          .toSorted(),
      )
    })
  })

  it('are sent nothing but in our own networks for a peer that our peer dials', LIMIT, async () => {
    await scene('a target scans', async world => {
      const { stage, own } = world
      await startOwn(world, 'stranger')
      const hostile = await stage.place('hostile', 'none', 'hostile-agent')
      const all = offers(world, [...near(world), ...never(world)])
      for (const [n, addrs] of all.entries()) {
        const init = { name: `liar${n}x`, relays: [stage.relayAddr()], addrs }
        const { peers } = await hostile.do<{ peers: Array<{ addrs: string[] }> }>('create', init)
        const target = peers[0]?.addrs.find(it => it.includes('p2p-circuit'))
        await own.do('connect', { name, target })
        await hostile.do('exchanges', { name: `liar${n}x`, times: 1, addrs, timeoutMs: 10_000 })
      }
      await failures(world, all.length)
      assert.deepEqual(
        await dialled(world),
        near(world)
          .map(it => endpointOf(it))
          .toSorted(),
      )
    })
  })

  it('are sent nothing for a relay that says that it, our peer and others are there', LIMIT, async () => {
    await scene('a relay scans', async world => {
      const { stage, own } = world
      const relay = stage.enter(await stage.net.addHost('hostile'), 'hostile-relay')
      const hosts = [...near(world), ...protectedBy(world), ...never(world)]
      const listen = [addrOf(relay.host.address, 4001)]
      const lies = { observed: addrOf(world.neighbour.address), claims: hosts.map(it => addrOf(it)) }
      const { addrs } = await relay.do<{ addrs: string[] }>('relay', { listen, vice: 'honest', ...lies })
      const init = { name, relays: addrs, reserve: true, rank: 'stranger' }
      const { peerId } = await own.do<{ peerId: string }>('peer', init)
      // other relays tell the dialer the truth
      const dialer = await stage.place('dialer', 'eim-apdf-drop')
      await dialer.do('peer', { name, relays: [stage.relayAddr(), ...addrs], reserve: false })
      const ended = own.next(it => /^holepunch:(failed|succeeded)$/.test(it.event), 60_000)
      await dialer.do('connect', { name, target: `${addrs[0]}/p2p-circuit/p2p/${peerId}` })
      await ended
      const inside = (await dialled(world)).filter(it =>
        hosts.some(host => it.startsWith(endpointOf(host, 0).slice(0, -1))),
      )
      assert.deepEqual(inside, [])
    })
  })

  for (const rank of ['named', 'stranger'] as const)
    for (const [family, kind] of [
      [4, 'eim-apdf-drop'],
      [6, 'firewall6'],
    ] as const)
      it(`become the direct path to a ${rank} peer of the same network by IPv${family}`, LIMIT, async () => {
        const play = async (world: World): Promise<void> => {
          const { host } = world.own
          const target = await startOwn(world, rank, family)
          const remoteAddr = await visitFromHome(world, target, family)
          assert.ok(remoteAddr.includes(`/${family === 4 ? host.address : host.address6}/`), remoteAddr)
        }
        await scene(`a ${rank} peer at home by IPv${family}`, play, natKinds[kind])
      })
})
