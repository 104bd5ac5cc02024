/** netcheck, by the program itself, behind every kind of NAT: what it says is what the rules of the NAT say. */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createNetwork, natKinds } from './net/network.ts'
import { startGateway } from './net/gateway.ts'
import { Remote } from './remote.ts'
import type { Host, NatKind, NatKindName, Network } from './net/network.ts'
import type { NetcheckReport } from '../../peer/netcheck/report.ts'

const THROUGHNAT = fileURLToPath(new URL('../../peer/bin/throughnat.ts', import.meta.url))

/** Its own limit is 15 s. */
const TIMEOUT_MS = 40_000

/** RFC 4787's words for those of the lab. */
const words = {
  eim: 'endpoint-independent',
  apdm: 'address-and-port-dependent',
  eif: 'endpoint-independent',
  adf: 'address-dependent',
  apdf: 'address-and-port-dependent',
  drop: 'dropped',
  rst: 'refused',
  icmp: 'refused',
  stack: 'refused',
} as const

interface World extends AsyncDisposable {
  net: Network
  addRelay: (name: string, ports: number[]) => Promise<string[]>
  /** On two ports. */
  first: string[]
  second: string[]
}

async function createWorld(): Promise<World> {
  const net = await createNetwork({ delayMs: 20 })
  const remotes: Remote[] = []
  const addRelay = async (name: string, ports: number[]): Promise<string[]> => {
    const remote = new Remote(await net.addHost(name))
    remotes.push(remote)
    const listen = ports.flatMap(port => [`/ip4/0.0.0.0/tcp/${port}`, `/ip6/::/tcp/${port}`])
    const { addrs } = await remote.do<{ addrs: string[] }>('relay', { listen })
    return addrs.filter(it => it.includes(remote.host.address) || it.includes(remote.host.address6))
  }
  const dispose = async (): Promise<void> => {
    for (const remote of remotes) remote.stop()
    await net.close()
  }
  try {
    const [first, second] = [await addRelay('first', [4001, 4002]), await addRelay('second', [4001])]
    return { net, addRelay, first, second, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

async function netcheck(host: Host, relays: readonly string[], args: string[] = []): Promise<NetcheckReport> {
  const flags = relays.flatMap(relay => ['--relay', relay])
  const command = [THROUGHNAT, 'netcheck', '--json', ...flags, ...args]
  const { stdout } = await host.exec(process.execPath, command, { timeoutMs: TIMEOUT_MS })
  return JSON.parse(stdout) as NetcheckReport
}

describe('netcheck tells', { concurrency: 1 }, () => {
  let world: World
  let places = 0

  before(async () => {
    world = await createWorld()
  })
  after(async () => world?.[Symbol.asyncDispose]())

  const relays = (): string[] => [...world.first, ...world.second]

  async function place(
    kind: Exclude<NatKindName, 'none'>,
    options: Parameters<Network['addNat']>[2] = {},
  ): Promise<Host> {
    const name = `p${++places}`
    const behind = await world.net.addNat(`${name}-nat`, kind, options)
    return world.net.addHost(name, { behind })
  }

  for (const [name, { ipv4 }] of Object.entries<NatKind>(natKinds)) {
    if (typeof ipv4 === 'string') continue
    const kind = name as Exclude<NatKindName, 'none'>
    const { mapping, filtering, unsolicited } = ipv4
    it(`the kind of ${kind}`, async () => {
      const host = await place(kind)
      const report = await netcheck(host, relays())
      const told = {
        mapping: report.mapping,
        filtering: report.filtering,
        unsolicited: report.unsolicited,
        portPreserving: report.portPreserving,
        hairpinning: report.hairpinning,
        doubleNat: report.doubleNat,
      }
      const expected = {
        mapping: words[mapping],
        filtering: words[filtering],
        unsolicited: words[unsolicited],
        portPreserving: mapping === 'eim',
        hairpinning: false,
        doubleNat: false,
      }
      assert.deepEqual(told, expected, JSON.stringify(report, undefined, 2))
      assert.equal(new Set(report.observed.map(it => it.localPort)).size, 1)
      assert.equal(report.observed.length, 3)
      assert.equal(report.ipv6.address, null)
      for (const { addr, rttMs, problem } of report.relays)
        if (addr.startsWith('/ip4/')) assert.ok(rttMs !== null && rttMs >= 40 && rttMs < 1_000, problem)
    })
  }

  for (const kind of ['eim-eif', 'eim-apdf-drop', 'apdm-apdf-rst'] as const)
    it(`that ${kind} hairpins when it does`, async () => {
      const host = await place(kind, { hairpinning: true })
      const { hairpinning } = await netcheck(host, relays())
      assert.equal(hairpinning, true)
    })

  it('a public host by its name', async () => {
    const host = await world.net.addHost('public')
    const report = await netcheck(host, relays())
    const { mapping, filtering, unsolicited, portPreserving, hairpinning, doubleNat, ipv6, verdict } = report
    assert.deepEqual(
      { mapping, filtering, unsolicited, portPreserving, hairpinning, doubleNat },
      {
        mapping: 'none',
        filtering: 'endpoint-independent',
        unsolicited: 'refused',
        portPreserving: null,
        hairpinning: null,
        doubleNat: false,
      },
      JSON.stringify(report, undefined, 2),
    )
    assert.partialDeepStrictEqual(ipv6, {
      address: host.address6,
      relays: true,
      mapping: 'none',
      filtering: 'endpoint-independent',
    })
    assert.match(verdict, /^Nothing is in the way/)
  })

  it('two NATs in a row', async () => {
    const carrier = await world.net.addNat('carrier', 'eim-apdf-drop')
    const home = await world.net.addNat('home', 'eim-eif', { behind: carrier })
    const report = await netcheck(await world.net.addHost('nested', { behind: home }), relays())
    assert.partialDeepStrictEqual(report, {
      mapping: 'endpoint-independent',
      filtering: 'address-and-port-dependent',
      unsolicited: 'dropped',
      doubleNat: true,
    })
    assert.match(report.verdict, /more than one router/)
  })

  for (const kind of ['firewall6', 'firewall6-rst', 'firewall6-icmp'] as const)
    it(`an IPv6 firewall: ${kind}`, async () => {
      const host = await place(kind)
      const report = await netcheck(host, relays())
      const { ipv6, why } = report
      assert.equal(report.mapping, 'unknown')
      assert.deepEqual(
        { ...ipv6, observed: ipv6.observed.length },
        {
          mapping: 'none',
          filtering: 'address-and-port-dependent',
          unsolicited: words[natKinds[kind].ipv6.unsolicited],
          portPreserving: null,
          hairpinning: null,
          observed: 3,
          address: host.address6,
          relays: true,
        },
        JSON.stringify(report, undefined, 2),
      )
      assert.match(why.mapping ?? '', /IPv4/)
    })

  it('an IPv6 firewall beside a NAT of IPv4', async () => {
    const host = await place('apdm-apdf-drop', { ipv6: 'open' })
    const { mapping, ipv6, verdict } = await netcheck(host, relays())
    assert.equal(mapping, 'address-and-port-dependent')
    assert.partialDeepStrictEqual(ipv6, { mapping: 'none', filtering: 'endpoint-independent' })
    assert.match(verdict, /^Over IPv6: Nothing is in the way.*Over IPv4: The NAT here/)
  })

  it('what the router maps ports by', async () => {
    const nat = await world.net.addNat('mapping', 'apdm-apdf-drop')
    const host = await world.net.addHost('mapped', { behind: nat })
    await using _ = await startGateway(nat, { natPmp: true })
    const { portMapping, verdict } = await netcheck(host, relays())
    assert.deepEqual(portMapping, { upnp: false, natPmp: true, pcp: false })
    assert.match(verdict, /maps ports on request \(NAT-PMP\)/)
  })

  it('that only port 443 gets out', async () => {
    const relay = await world.addRelay('web', [443, 4001])
    const nat = await world.net.addNat('strict', 'eim-apdf-drop')
    await nat.namespace.nft('insert rule inet filter forward iifname "lan0" tcp dport != 443 drop\n')
    const host = await world.net.addHost('confined', { behind: nat })
    const { only443, mapping, filtering, why, verdict } = await netcheck(host, relay)
    assert.deepEqual([only443, mapping, filtering], [true, 'unknown', 'address-and-port-dependent'])
    assert.match(why.mapping ?? '', /two relays on different hosts/)
    assert.match(verdict, /allows only port 443/)
  })

  it('what one relay cannot tell, and why', async () => {
    const host = await place('eim-adf')
    const { mapping, filtering, why, verdict, unsolicited } = await netcheck(host, world.second)
    assert.deepEqual([mapping, filtering, unsolicited], ['unknown', 'unknown', 'dropped'])
    assert.match(why.mapping ?? '', /two relays on different hosts/)
    assert.match(why.filtering ?? '', /a second relay on another host/)
    assert.match(verdict, /second relay/)
  })

  it('by one relay on two ports that a NAT maps by port', async () => {
    const host = await place('apdm-apdf-drop')
    const { mapping, filtering } = await netcheck(host, world.first)
    assert.deepEqual([mapping, filtering], ['address-and-port-dependent', 'address-and-port-dependent'])
  })
})
