/** The pure parts of netcheck: what hops, ports and findings come to. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { judgeHops, readHop } from '../../../../peer/netcheck/double-nat.ts'
import { judgeOnly443 } from '../../../../peer/netcheck/only-443.ts'
import { chooseVantages, familyOf } from '../../../../peer/netcheck/reach.ts'
import { unknownFamily } from '../../../../peer/netcheck/report.ts'
import { verdictOf } from '../../../../peer/netcheck/verdict.ts'
import type { Connection } from '@libp2p/interface'
import type { Reached } from '../../../../peer/netcheck/reach.ts'
import type { Filtering, Mapping, NetcheckReport } from '../../../../peer/netcheck/report.ts'

const ID = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'

function reachedAt(host: string, port: number, isReached = true): Reached {
  const family = host.includes(':') ? 6 : 4
  const addr = multiaddr(`/ip${family}/${host}/tcp/${port}/p2p/${ID}`)
  const vantage = { addr, connection: {} as Connection, family, host, port } as const
  const report = { addr: addr.toString(), rttMs: isReached ? 1 : null }
  return { report, ...(isReached ? { vantage } : {}) }
}

describe('a hop', () => {
  for (const [output, hop] of [
    ['From 192.168.1.1 icmp_seq=1 Time to live exceeded', '192.168.1.1'],
    ['64 bytes from 192.0.2.1: icmp_seq=1 ttl=62 time=8.1 ms', '192.0.2.1'],
    ['From 192.168.1.7 icmp_seq=1 Destination Host Unreachable', undefined],
    ['1 packets transmitted, 0 received, 100% packet loss', undefined],
    ['', undefined],
  ] as const)
    it(`is ${hop ?? 'none'} in "${output}"`, () => {
      assert.equal(readHop(`PING 192.0.2.1 (192.0.2.1) 56(84) bytes of data.\n${output}\n`), hop)
    })

  for (const [hops, doubleNat] of [
    [['192.168.1.1', '10.0.0.1', '8.8.8.8'], true],
    [['192.168.1.1', '100.64.0.1', undefined], true],
    [['192.168.1.1', undefined, '10.0.0.1'], true],
    [['192.168.1.1', '8.8.8.8', '8.8.4.4'], false],
    [['8.8.8.8', '8.8.4.4', undefined], false],
    [['192.168.1.1', undefined, '8.8.8.8'], null],
    [[undefined, undefined, undefined], null],
  ] as const)
    it(`list ${hops.join(' ')} tells of a second NAT: ${doubleNat}`, () => {
      assert.equal(judgeHops(hops).doubleNat, doubleNat)
    })
})

describe('only port 443 gets out', () => {
  for (const [title, reached, only443] of [
    [
      'where it is reached and others are not',
      [reachedAt('8.8.8.8', 443), reachedAt('8.8.8.8', 4001, false)],
      true,
    ],
    ['not where another is', [reachedAt('8.8.8.8', 443), reachedAt('8.8.4.4', 4001)], false],
    [
      'perhaps, where nothing is reached',
      [reachedAt('8.8.8.8', 443, false), reachedAt('8.8.8.8', 4001, false)],
      null,
    ],
    ['perhaps, where no other is tried', [reachedAt('8.8.8.8', 443)], null],
    ['perhaps, where it is not tried', [reachedAt('8.8.8.8', 4001, false)], null],
  ] as const)
    it(title, () => {
      assert.equal(judgeOnly443(reached).only443, only443)
    })
})

describe('the places to look from', () => {
  it('are two hosts, and another port of one of them', () => {
    const reached = [
      reachedAt('2001:4860::1', 4001),
      reachedAt('8.8.8.8', 4001, false),
      reachedAt('8.8.4.4', 4001),
      reachedAt('8.8.8.8', 4002),
      reachedAt('8.8.8.8', 4003),
    ]
    const vantages = chooseVantages(reached, 4)
    assert.deepEqual([vantages?.first.host, vantages?.elsewhere?.host], ['8.8.4.4', '8.8.8.8'])
    assert.deepEqual([vantages?.otherPort?.vantage.port, vantages?.otherPort?.sibling.port], [4003, 4002])
    assert.equal(chooseVantages(reached, 6)?.elsewhere, undefined)
    assert.equal(chooseVantages([], 4), undefined)
  })

  it('are no WebSockets', () => {
    for (const text of [
      '/ip4/8.8.8.8/tcp/443/ws',
      '/dns4/relay.example/tcp/443/wss',
      '/dns4/relay.example/tcp/4001',
    ])
      assert.equal(familyOf(multiaddr(`${text}/p2p/${ID}`)), undefined)
    assert.equal(familyOf(multiaddr(`/ip6/2001:4860::1/tcp/1/p2p/${ID}`)), 6)
  })
})

function findings(
  mapping: Mapping,
  filtering: Filtering,
  more: Partial<NetcheckReport> = {},
): NetcheckReport {
  const { report } = unknownFamily('')
  return {
    ...report,
    mapping,
    filtering,
    ipv6: { ...report, address: null, relays: null },
    doubleNat: false,
    only443: null,
    portMapping: null,
    relays: [{ addr: '', rttMs: 1 }],
    why: {},
    verdict: '',
    ...more,
  }
}

describe('the verdict', () => {
  for (const [mapping, filtering, words] of [
    ['none', 'endpoint-independent', /^Nothing is in the way/],
    ['none', 'address-and-port-dependent', /most others.*firewall/],
    ['endpoint-independent', 'endpoint-independent', /work with every peer/],
    ['endpoint-independent', 'address-dependent', /work with every peer/],
    ['endpoint-independent', 'address-and-port-dependent', /most others.*forward a TCP port/],
    ['address-and-port-dependent', 'endpoint-independent', /work with every peer/],
    ['address-dependent', 'address-dependent', /picks another port.*forward a TCP port/],
    ['address-and-port-dependent', 'address-and-port-dependent', /picks another port.*forward a TCP port/],
    ['unknown', 'unknown', /is unknown/],
  ] as const)
    it(`on ${mapping} mapping and ${filtering} filtering matches ${words.source}`, () => {
      assert.match(verdictOf(findings(mapping, filtering)), words)
    })

  it('is not that a port be forwarded where it need not be', () => {
    assert.doesNotMatch(verdictOf(findings('endpoint-independent', 'address-dependent')), /forward/)
  })

  it('tells of the protocol that the router maps ports by', () => {
    const portMapping = { upnp: true, natPmp: false, pcp: true }
    const verdict = verdictOf(findings('endpoint-independent', 'address-and-port-dependent', { portMapping }))
    assert.match(verdict, /\(UPnP, PCP\)/)
  })

  it('does not advise to forward a port in one router where there are two', () => {
    const verdict = verdictOf(
      findings('endpoint-independent', 'address-and-port-dependent', { doubleNat: true }),
    )
    assert.match(verdict, /more than one router/)
  })

  it('says why nothing is known', () => {
    const why = { mapping: 'it takes two', filtering: 'it takes two' }
    assert.match(verdictOf(findings('unknown', 'unknown', { why })), /Reason: it takes two\.$/)
  })

  it('names what was wrong with each relay where none was reached', () => {
    const relays = [{ addr: '', rttMs: null, problem: 'nothing listens there (ECONNREFUSED)' }]
    assert.match(verdictOf(findings('unknown', 'unknown', { relays })), /ECONNREFUSED/)
  })

  it('prefers IPv6 where that gets further', () => {
    const base = findings('address-and-port-dependent', 'address-and-port-dependent')
    const ipv6 = { ...base.ipv6, mapping: 'none', filtering: 'endpoint-independent' } as const
    assert.match(verdictOf({ ...base, ipv6 }), /^Over IPv6: Nothing.*Over IPv4: The NAT/)
  })

  it('tells that only port 443 gets out', () => {
    assert.match(verdictOf(findings('unknown', 'unknown', { only443: true })), /port 443/)
  })
})
