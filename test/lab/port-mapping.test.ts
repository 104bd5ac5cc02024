/** Port mapping against miniupnpd, the gateway that most home routers have inside. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createNetwork } from './net/network.ts'
import { startGateway } from './net/gateway.ts'
import { sniff } from './net/sniffer.ts'
import { Remote } from './remote.ts'
import { createStage } from './stage.ts'
import type { GatewayInit } from './net/gateway.ts'
import type { Nat, Network } from './net/network.ts'
import type { LabEvent } from './remote.ts'

const DELAY = { delayMs: 20 }
const PORT = 4001
const LISTEN = [`/ip4/0.0.0.0/tcp/${PORT}`]

/** The worst NAT there is: nothing gets in, and no port can be predicted. */
const WORST = 'apdm-apdf-drop'

/** So that a restart is noticed soon. */
const SHORT_INTERVAL_MS = 4_000

const protocols: ReadonlyArray<{ protocol: string; init: GatewayInit }> = [
  { protocol: 'upnp', init: { upnp: true } },
  { protocol: 'nat-pmp', init: { natPmp: true } },
  { protocol: 'pcp', init: { pcp: true } },
]

interface Mapped {
  protocol: string
  addr: string
}

interface Addresses {
  mapped: string[]
  announced: string[]
  candidates: string[]
}

interface Stage {
  nat: Nat
  listener: Remote
}

async function place(net: Network, nat?: Nat): Promise<Stage> {
  nat ??= await net.addNat('home', WORST)
  const host = await net.addHost('listener', { behind: nat })
  return { nat, listener: new Remote(host, 'mapping-agent') }
}

async function dialerBehindTheWorst(net: Network): Promise<Remote> {
  const behind = await net.addNat('elsewhere', WORST)
  const dialer = new Remote(await net.addHost('dialer', { behind }), 'mapping-agent')
  await dialer.do('node', { listen: LISTEN, enabled: false })
  return dialer
}

async function startMapped(listener: Remote, init: object = {}): Promise<Mapped & { peerId: string }> {
  const { peerId } = await listener.do<{ peerId: string }>('node', { listen: LISTEN, ...init })
  const added = await firstEvent<Mapped>(listener, 'mapping:added')
  return { ...added, peerId }
}

/** An event that may have come already. */
async function firstEvent<T>(remote: Remote, name: string): Promise<T> {
  const find = (): T | undefined => remote.events.find(it => it.event === name) as T | undefined
  return find() ?? remote.do<T>('next-event', { name })
}

describe('a peer behind the worst NAT, whose router maps ports', { concurrency: 1 }, () => {
  for (const { protocol, init } of protocols)
    it(`by ${protocol} alone, is reached directly, and takes the mapping back when it stops`, async () => {
      await using net = await createNetwork(DELAY)
      const { nat, listener } = await place(net)
      await using gateway = await startGateway(nat, init)
      const dialer = await dialerBehindTheWorst(net)
      const { peerId, ...mapped } = await startMapped(listener)
      const addr = `/ip4/${nat.externalAddress}/tcp/${PORT}`
      assert.partialDeepStrictEqual(mapped, { protocol, addr })
      assert.equal((await gateway.mappings()).length, 1)

      const dialled = await dialer.do<object>('dial', { addr: `${addr}/p2p/${peerId}` })
      assert.partialDeepStrictEqual(dialled, { remoteAddr: `${addr}/p2p/${peerId}`, isLimited: false })

      await listener.do('stop')
      assert.deepEqual(await gateway.mappings(), [])
    })

  it('has one mapping where the router speaks all three protocols', async () => {
    await using net = await createNetwork(DELAY)
    const { nat, listener } = await place(net)
    await using gateway = await startGateway(nat, { upnp: true, natPmp: true, pcp: true })
    await startMapped(listener)
    assert.equal((await gateway.mappings()).length, 1)
    await listener.do('stop')
    assert.deepEqual(await gateway.mappings(), [])
  })

  it('has a mapping of its own where another host has the port', async () => {
    await using net = await createNetwork(DELAY)
    const { nat, listener } = await place(net)
    await using gateway = await startGateway(nat, { upnp: true })
    const neighbour = new Remote(await net.addHost('neighbour', { behind: nat }), 'mapping-agent')
    await startMapped(neighbour)
    const { addr, peerId } = await startMapped(listener)
    assert.notEqual(addr, `/ip4/${nat.externalAddress}/tcp/${PORT}`)
    const dialer = await dialerBehindTheWorst(net)
    await dialer.do('dial', { addr: `${addr}/p2p/${peerId}` })
    await listener.do('stop')
    assert.equal((await gateway.mappings()).length, 1, 'the neighbour keeps its mapping')
  })

  for (const { protocol, init } of protocols)
    it(`by ${protocol}, has its mapping again after the router has restarted`, async () => {
      await using net = await createNetwork(DELAY)
      const { nat, listener } = await place(net)
      await using gateway = await startGateway(nat, init)
      const { addr, peerId } = await startMapped(listener, { intervalMs: SHORT_INTERVAL_MS })

      await gateway.stop()
      const lost = await listener.do<object>('next-event', { name: 'mapping:lost' }, 40_000)
      assert.partialDeepStrictEqual(lost, { addr, reason: 'gateway-silent' })
      assert.deepEqual((await listener.do<Addresses>('addresses')).candidates, [])

      const added = listener.do<object>('next-event', { name: 'mapping:added' }, 60_000)
      await gateway.start()
      assert.partialDeepStrictEqual(await added, { addr, protocol })
      assert.equal((await gateway.mappings()).length, 1)
      const dialer = await dialerBehindTheWorst(net)
      await dialer.do('dial', { addr: `${addr}/p2p/${peerId}` })
    })

  for (const { protocol, init } of protocols)
    it(`by ${protocol}, has its mapping again after a restart that nobody noticed`, async () => {
      await using net = await createNetwork(DELAY)
      const { nat, listener } = await place(net)
      await using gateway = await startGateway(nat, init)
      await startMapped(listener)
      const before = await gateway.mappings()
      await gateway.restart()
      assert.deepEqual(await gateway.mappings(), [])
      await listener.do('refresh')
      assert.deepEqual(await gateway.mappings(), before)
      assert.ok(!listener.events.some(it => it.event === 'mapping:lost'))
    })
})

describe('a mapped address', { concurrency: 1 }, () => {
  it('is a candidate of punches at once, and announced only when somebody has dialled back', async () => {
    await using net = await createNetwork(DELAY)
    const { nat, listener } = await place(net)
    await using _ = await startGateway(nat, { pcp: true })
    const { addr } = await startMapped(listener, { isVerified: false })
    const { candidates, announced } = await listener.do<Addresses>('addresses')
    assert.deepEqual(candidates, [addr])
    assert.ok(!announced.some(it => it.startsWith(addr)))
  })

  it('is announced once it is verified', async () => {
    await using net = await createNetwork(DELAY)
    const { nat, listener } = await place(net)
    await using _ = await startGateway(nat, { pcp: true })
    const { addr } = await startMapped(listener)
    await firstEvent(listener, 'mapping:verified')
    const { announced } = await listener.do<Addresses>('addresses')
    assert.ok(announced.some(it => it.startsWith(`${addr}/p2p/`)))
  })
})

describe('a router', { concurrency: 1 }, () => {
  it('that maps no ports costs a peer no time, neither at its start nor at its stop', async () => {
    await using net = await createNetwork(DELAY)
    const { listener } = await place(net)
    const started = await listener.do<{ elapsedMs: number }>('node', { listen: LISTEN })
    const stopped = await listener.do<{ elapsedMs: number }>('stop')
    assert.ok(started.elapsedMs < 1_000, `started in ${started.elapsedMs} ms`)
    assert.ok(stopped.elapsedMs < 1_000, `stopped in ${stopped.elapsedMs} ms`)
  })

  it('that maps no ports is told once', async () => {
    await using net = await createNetwork(DELAY)
    const { listener } = await place(net)
    await listener.do('node', { listen: LISTEN })
    const { reason } = await firstEvent<{ reason: string }>(listener, 'mapping:failed')
    assert.equal(reason, 'no-protocol')
  })

  it('behind another NAT maps nothing that can be used, and no address is offered', async () => {
    await using net = await createNetwork(DELAY)
    const carrier = await net.addNat('carrier', WORST)
    const home = await net.addNat('home', WORST, { behind: carrier })
    const { listener } = await place(net, home)
    await using gateway = await startGateway(home, { upnp: true, natPmp: true, pcp: true })
    await listener.do('node', { listen: LISTEN })
    const { reason } = await firstEvent<{ reason: string }>(listener, 'mapping:failed')
    assert.equal(reason, 'refused')
    assert.deepEqual((await listener.do<Addresses>('addresses')).candidates, [])
    assert.deepEqual(await gateway.mappings(), [])
  })

  for (const [init, found] of [
    [{ upnp: true }, { upnp: true, natPmp: false, pcp: false }],
    [{ natPmp: true }, { upnp: false, natPmp: true, pcp: false }],
    [{ pcp: true }, { upnp: false, natPmp: false, pcp: true }],
  ] as const)
    it(`is probed for what it speaks: ${Object.keys(init)[0]}`, async () => {
      await using net = await createNetwork(DELAY)
      const { nat, listener } = await place(net)
      await using _ = await startGateway(nat, init)
      assert.partialDeepStrictEqual(await listener.do<object>('probe'), found)
    })
})

describe('a node', { concurrency: 1 }, () => {
  it('sends nothing to the router when port mapping is off', async () => {
    await using net = await createNetwork(DELAY)
    const { listener } = await place(net)
    const traffic = await sniff(listener.host, 'udp port 5351 or udp port 1900 or udp port 5352')
    await listener.do('node', { listen: LISTEN, enabled: false })
    await assertSilence(listener, traffic.packet)
  })

  it('sends nothing to the router when it listens on loopback alone', async () => {
    await using net = await createNetwork(DELAY)
    const { listener } = await place(net)
    const traffic = await sniff(listener.host, 'udp port 5351 or udp port 1900 or udp port 5352')
    await listener.do('node', { listen: [`/ip4/127.0.0.1/tcp/${PORT}`] })
    await assertSilence(listener, traffic.packet)
  })
})

describe('a peer behind the worst NAT, with a relay', { concurrency: 1 }, () => {
  it('asks the router once a relay has seen the NAT, has the relay dial the address, and is reached there without any relay', async () => {
    await using stage = await createStage(DELAY)
    const home = await stage.net.addNat('home', WORST)
    await using gateway = await startGateway(home, { upnp: true, natPmp: true, pcp: true })
    await stage.evident('mapped with a relay', async () => {
      const listener = await stage.placeBehind('listener', home)
      const name = 'mapped'
      const init = { name, relays: [stage.relayAddr()], reserve: true }
      const { peerId } = await listener.do<{ peerId: string }>('peer', init)
      const isVerified = (event: LabEvent): boolean => event.event === 'mapping:verified'
      const verified = listener.events.find(isVerified) ?? (await listener.next(isVerified))
      const addr = String(verified['addr'])
      assert.ok(addr.startsWith(`/ip4/${home.externalAddress}/tcp/`), addr)
      const { addrs } = await listener.do<{ addrs: string[] }>('addrs', { name })
      assert.ok(
        addrs.some(it => it === `${addr}/p2p/${peerId}`),
        addrs.join(' '),
      )

      const dialer = await stage.place('dialer', WORST)
      await dialer.do('peer', { name, relays: [], reserve: false })
      const target = `${addr}/p2p/${peerId}`
      assert.partialDeepStrictEqual(await dialer.do<object>('connect', { name, target }), { path: 'direct' })

      await listener.do('stop', { name })
      assert.deepEqual(await gateway.mappings(), [])
    })
  })

  it('asks no router while no relay has seen a NAT', async () => {
    await using stage = await createStage(DELAY)
    const listener = await stage.place('listener', 'none')
    await listener.do('peer', { name: 'public', relays: [stage.relayAddr()], reserve: true })
    await listener.do('stop', { name: 'public' })
    assert.ok(!listener.events.some(it => it.event.startsWith('mapping:')))
  })
})

/** A datagram sent last shows that the sniffer sees what is sent: had there been another, it would have come first. */
async function assertSilence(listener: Remote, packet: Promise<string>): Promise<void> {
  await listener.do('refresh')
  await listener.do('stop')
  await listener.host.exec('python3', [
    '-c',
    "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'last', ('192.168.1.1', 5352))",
  ])
  assert.match(await packet, /\.5352: /)
}
