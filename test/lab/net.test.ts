/**
 * The lab tests itself: every kind of NAT shows its behaviour to raw TCP connections.
 *
 * Without this, a scenario that passes could have passed because its NAT was not one.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createNetwork, natKinds } from './net/network.ts'
import { Prober } from './net/prober.ts'
import { sniff } from './net/sniffer.ts'
import type { AddNatOptions, Host, Nat, NatKind, NatKindName, Network, Translation } from './net/network.ts'
import type { Endpoint } from './net/probe.ts'
import type { Unsolicited } from './net/nat-kind.ts'

/** The port that a machine inside shares between its listener and its dials. */
const PORT = 4001

/**
 * Without any delay an ICMP error comes back while connect() still holds the socket, and Linux heeds it only
 * when it repeats the SYN, a second later.
 */
const SHORT_WAY = { delayMs: 1 }

/** Two SYNs cross if they start within this time of each other, which two processes manage on a busy machine. */
const LONG_WAY = { delayMs: 100 }
const LONG_WAY_TIMEOUT_MS = 2000

const RST_OR_UNREACHABLE = 'tcp[tcpflags] & tcp-rst != 0 or icmp[icmptype] = icmp-unreach'

/** What a dial from outside comes to, and what tells the caller so. */
const reactions: Record<Unsolicited, { said: string; outcome: string; packet: RegExp | undefined }> = {
  drop: { said: 'silence', outcome: 'timeout', packet: undefined },
  rst: { said: 'a reset', outcome: 'ECONNREFUSED', packet: /Flags \[R/ },
  stack: { said: 'a reset', outcome: 'ECONNREFUSED', packet: /Flags \[R/ },
  icmp: { said: 'an ICMP error', outcome: 'ECONNREFUSED', packet: /ICMP .* tcp port \d+ unreachable/ },
}

const translating = Object.entries<NatKind>(natKinds).flatMap(([name, { ipv4 }]) =>
  typeof ipv4 === 'string' ? [] : [{ name: name as NatKindName, ...ipv4 }],
)

/** Two hosts behind a NAT, and two outside that have nothing to do with each other. Everyone listens. */
class Scene {
  readonly net: Network
  readonly nat: Nat
  readonly hosts: Record<'friend' | 'stranger', Host>
  readonly inside: Prober
  readonly neighbour: Prober
  readonly friend: Prober
  readonly stranger: Prober

  constructor(net: Network, nat: Nat, hosts: Record<'inside' | 'neighbour' | 'friend' | 'stranger', Host>) {
    this.net = net
    this.nat = nat
    this.hosts = hosts
    this.inside = new Prober(hosts.inside)
    this.neighbour = new Prober(hosts.neighbour)
    this.friend = new Prober(hosts.friend)
    this.stranger = new Prober(hosts.stranger)
  }

  static async create(kind: NatKindName, options: AddNatOptions = {}): Promise<Scene> {
    const net = await createNetwork(SHORT_WAY)
    const nat = await net.addNat('nat', kind, options)
    const [inside, neighbour, friend, stranger] = await Promise.all([
      net.addHost('inside', { behind: nat }),
      net.addHost('neighbour', { behind: nat }),
      net.addHost('friend'),
      net.addHost('stranger'),
    ])
    const scene = new Scene(net, nat, { inside, neighbour, friend, stranger })
    const { inside: a, neighbour: b, friend: c, stranger: d } = scene
    await Promise.all([a, b, c, d].map(async prober => await prober.listen(PORT)))
    return scene
  }

  /** How an outsider sees a machine inside that dials it. */
  async seen(who: 'inside' | 'neighbour', by: 'friend' | 'stranger'): Promise<Endpoint> {
    const answer = await this[who].dial({ address: this.hosts[by].address, port: PORT }, { fromPort: PORT })
    assert.ok(answer.seenAs, `${who} dials ${by}: ${answer.outcome}`)
    return answer.seenAs
  }
}

describe('A NAT of kind', { concurrency: 4 }, () => {
  // one fact after the other: whom a host has dialled decides who is let in
  for (const { name, ...kind } of translating) describe(name, { concurrency: 1 }, () => testKind(name, kind))
})

function testKind(name: NatKindName, kind: Translation): void {
  const { said, outcome, packet } = reactions[kind.unsolicited]
  let scene: Scene
  let external: Endpoint

  before(async () => {
    scene = await Scene.create(name)
    external = await scene.seen('inside', 'friend')
  })
  after(async () => await scene.net.close())

  it('shows its own address outside', () => {
    assert.equal(external.address, scene.nat.externalAddress)
  })

  it(kind.mapping === 'eim' ? 'preserves the port' : 'takes another port than the one inside', () => {
    assert.equal(external.port === PORT, kind.mapping === 'eim')
  })

  it(
    kind.filtering === 'apdf'
      ? `answers a contacted host's other port with ${said}`
      : "lets in a contacted host's other port",
    async () => {
      const answer = await scene.friend.dial(external)
      assert.equal(answer.outcome, kind.filtering === 'apdf' ? outcome : 'connected')
    },
  )

  it(kind.filtering === 'eif' ? 'lets in a stranger' : `answers a stranger with ${said}`, async () => {
    const answer = await scene.stranger.dial(external)
    assert.equal(answer.outcome, kind.filtering === 'eif' ? 'connected' : outcome)
  })

  it(`answers a SYN to an unused port with ${said}`, async () => {
    const sniffer = await sniff(scene.hosts.stranger, RST_OR_UNREACHABLE)
    const answer = await scene.stranger.dial({ address: external.address, port: 9 })
    assert.equal(answer.outcome, outcome)
    if (packet !== undefined) assert.match(await sniffer.packet, packet)
  })

  it(
    'shows a second host the ' +
      (kind.mapping === 'eim' ? 'same endpoint' : 'same address with another port'),
    async () => {
      const second = await scene.seen('inside', 'stranger')
      assert.equal(second.address, external.address)
      assert.equal(second.port === external.port, kind.mapping === 'eim')
    },
  )

  it('gives two inside hosts with the same port different ones', async () => {
    assert.notEqual((await scene.seen('neighbour', 'friend')).port, external.port)
  })

  it(`answers a neighbour who tries the external endpoint with ${said}`, async () => {
    assert.equal((await scene.neighbour.dial(external)).outcome, outcome)
  })
}

describe('Hairpinning', { concurrency: 4 }, () => {
  for (const kind of ['eim-eif', 'eim-adf', 'eim-apdf-drop', 'apdm-apdf-rst'] as const) {
    it(`a hairpinning ${kind} NAT leads a neighbour to an external endpoint, under its own address`, async () => {
      const scene = await Scene.create(kind, { hairpinning: true })
      await using _ = scene.net
      const answer = await scene.neighbour.dial(await scene.seen('inside', 'friend'))
      assert.equal(answer.outcome, 'connected')
      assert.equal(answer.seenAs?.address, scene.nat.externalAddress)
    })
  }
})

describe('Mappings', { concurrency: 4 }, () => {
  it('an endpoint-independent NAT that cannot preserve a port still gives the same one towards everyone', async () => {
    const scene = await Scene.create('eim-apdf-drop')
    await using _ = scene.net
    await scene.seen('inside', 'friend')
    const first = await scene.seen('neighbour', 'friend')
    assert.deepEqual(await scene.seen('neighbour', 'stranger'), first)
  })

  it('a restarted NAT has forgotten its mappings', async () => {
    const scene = await Scene.create('eim-eif')
    await using _ = scene.net
    const external = await scene.seen('inside', 'friend')
    assert.match(await scene.nat.conntrack(), /ESTABLISHED/)
    await scene.nat.flushConntrack()
    assert.equal(await scene.nat.conntrack(), '')
    assert.equal((await scene.stranger.dial(external)).outcome, 'timeout')
  })

  it('a NAT with a shorter idle time-out gives it to connections with their next packet', async () => {
    const scene = await Scene.create('eim-eif')
    await using _ = scene.net
    await scene.nat.setIdleTimeout(30)
    await scene.seen('inside', 'friend')
    const remaining = Number(/tcp +6 (\d+) ESTABLISHED/.exec(await scene.nat.conntrack())?.[1])
    assert.ok(remaining <= 30, `${remaining} s`)
    assert.match(await scene.nat.ruleset(), /4001 timeout 30s expires/)
  })
})

describe('Two sites that dial each other at the same moment', { concurrency: 4 }, () => {
  for (const [left, right, outcome] of [
    ['eim-apdf-drop', 'eim-apdf-drop', 'both connected'],
    ['eim-apdf-rst', 'eim-apdf-rst', 'both connected'],
    ['eim-apdf-icmp', 'eim-apdf-icmp', 'both connected'],
    ['eim-apdf-stack', 'eim-apdf-stack', 'both connected'],
    ['eim-eif', 'eim-eif', 'both connected'],
    ['eim-adf', 'eim-adf', 'both connected'],
    ['eim-adf', 'apdm-apdf-drop', 'one connected'],
    ['eim-apdf-drop', 'apdm-eif', 'one connected'],
    ['eim-apdf-drop', 'apdm-apdf-drop', 'none connected'],
    ['apdm-apdf-drop', 'apdm-apdf-drop', 'none connected'],
  ] as const) {
    it(`${left} and ${right}: ${outcome}`, async () => {
      await using net = await createNetwork(LONG_WAY)
      const nats = await Promise.all([net.addNat('left-nat', left), net.addNat('right-nat', right)])
      assert.equal(await dialEachOther(net, nats), outcome)
    })
  }

  it('each behind a home NAT behind a carrier NAT: both connected', async () => {
    await using net = await createNetwork(LONG_WAY)
    const homes = ['left', 'right'].map(async side => {
      const carrier = await net.addNat(`${side}-carrier`, 'eim-apdf-drop')
      const home = await net.addNat(`${side}-nat`, 'eim-apdf-drop', { behind: carrier })
      assert.match(home.externalAddress, /^10\./)
      assert.equal(home.publicAddress, carrier.externalAddress)
      return home
    })
    assert.equal(await dialEachOther(net, await Promise.all(homes)), 'both connected')
  })

  it('each behind an IPv6 firewall: both connected', async () => {
    await using net = await createNetwork(LONG_WAY)
    const nats = await Promise.all([
      net.addNat('left-nat', 'firewall6'),
      net.addNat('right-nat', 'firewall6'),
    ])
    assert.equal(await dialEachOther(net, nats), 'both connected')
  })
})

/** A host at each site learns its endpoint from a relay, and dials the other one's from the same port. */
async function dialEachOther(net: Network, nats: readonly Nat[]): Promise<string> {
  const relay = await net.addHost('relay')
  const hosts = await Promise.all(
    nats.map(async nat => await net.addHost(`${nat.name}-host`, { behind: nat })),
  )
  const isIpv6 = nats.every(({ kind }) => kind.ipv4 === 'absent')
  const family = isIpv6 ? 'ipv6' : 'ipv4'
  const relayAddress = isIpv6 ? relay.address6 : relay.address
  await new Prober(relay).listen(PORT, family)
  const peers = await Promise.all(
    hosts.map(async host => {
      const prober = new Prober(host)
      await prober.listen(PORT, family)
      const { seenAs } = await prober.dial(
        { address: relayAddress, port: PORT },
        { fromPort: PORT, timeoutMs: LONG_WAY_TIMEOUT_MS },
      )
      assert.ok(seenAs)
      return { prober, seenAs }
    }),
  )
  const dials = peers.map(async ({ prober, seenAs }) => {
    const other = peers.find(peer => peer.prober !== prober)
    return await prober.dial(other?.seenAs ?? seenAs, { fromPort: PORT, timeoutMs: LONG_WAY_TIMEOUT_MS })
  })
  const connected = (await Promise.all(dials)).filter(({ outcome }) => outcome === 'connected').length
  return `${['none', 'one', 'both'][connected]} connected`
}

describe('IPv6', { concurrency: 4 }, () => {
  for (const [kind, outcome] of [
    ['firewall6', 'timeout'],
    ['firewall6-rst', 'ECONNREFUSED'],
    ['firewall6-icmp', 'EACCES'],
  ] as const) {
    it(`a ${kind} site is seen under its own addresses, and who was not called gets ${outcome}`, async () => {
      await using net = await createNetwork(SHORT_WAY)
      const site = await net.addNat('site', kind)
      const host = await net.addHost('inside', { behind: site })
      const friend = await net.addHost('friend')
      const [inside, outside] = [new Prober(host), new Prober(friend)]
      await Promise.all([inside.listen(PORT, 'ipv6'), outside.listen(PORT, 'ipv6')])
      const called = await inside.dial({ address: friend.address6, port: PORT }, { fromPort: PORT })
      assert.deepEqual(called.seenAs, { address: host.address6, port: PORT })
      assert.equal((await outside.dial({ address: host.address6, port: PORT })).outcome, outcome)
      assert.throws(() => host.address, /has no IPv4/)
    })
  }

  it('a dual-stack site translates IPv4 and filters IPv6', async () => {
    await using net = await createNetwork()
    const site = await net.addNat('site', 'eim-apdf-drop', { ipv6: { unsolicited: 'rst' } })
    const host = await net.addHost('inside', { behind: site })
    const friend = await net.addHost('friend')
    const [inside, outside] = [new Prober(host), new Prober(friend)]
    await Promise.all([inside.listen(PORT, 'ipv6'), outside.listen(PORT), outside.listen(PORT + 1, 'ipv6')])
    const over4 = await inside.dial({ address: friend.address, port: PORT })
    const over6 = await inside.dial({ address: friend.address6, port: PORT + 1 })
    assert.equal(over4.seenAs?.address, site.externalAddress)
    assert.equal(over6.seenAs?.address, host.address6)
    assert.equal((await outside.dial({ address: host.address6, port: PORT })).outcome, 'ECONNREFUSED')
  })

  it('a site without a NAT is reachable in both families', async () => {
    await using net = await createNetwork()
    const site = await net.addNat('site', 'none')
    const host = await net.addHost('inside', { behind: site })
    const [inside, outside] = [new Prober(host), new Prober(await net.addHost('friend'))]
    await Promise.all([inside.listen(PORT), inside.listen(PORT + 1, 'ipv6')])
    assert.equal((await outside.dial({ address: host.address, port: PORT })).outcome, 'connected')
    assert.equal((await outside.dial({ address: host.address6, port: PORT + 1 })).outcome, 'connected')
  })
})
