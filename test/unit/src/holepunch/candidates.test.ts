/** What a remote may make this node dial, and what this node offers. */

import { scopeOf } from '../../../../src/addresses/scope.ts'
import type { Scope } from '../../../../src/addresses/scope.ts'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import {
  isIPv6,
  MAX_CANDIDATES,
  offerTo,
  privateCandidates,
  publicCandidates,
  reachableCandidates,
  RemoteCandidates,
  shareHost,
} from '../../../../src/holepunch/candidates.ts'

const RELAY = '12D3KooWL5EJpdxa6nS6dWTnp9ZbK2YYUYMhDT7isMsjqnfhAxQi'
const PEER = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo'

const scopes: ReadonlyArray<[Scope, string, string]> = [
  ['public', '8.8.8.8', 'unicast'],
  ['public', '11.0.0.1', 'unicast that only labs use'],
  ['public', '2a00:1450:4001::1', 'IPv6 unicast'],
  ['private', '10.0.0.1', 'RFC 1918'],
  ['private', '172.16.0.1', 'RFC 1918'],
  ['private', '172.31.255.255', 'RFC 1918'],
  ['public', '172.32.0.1', 'the first behind RFC 1918'],
  ['private', '192.168.1.1', 'RFC 1918'],
  ['private', '100.64.0.1', 'carrier-grade NAT'],
  ['private', '100.127.255.255', 'carrier-grade NAT'],
  ['public', '100.128.0.1', 'the first behind carrier-grade NAT'],
  ['private', 'fd00::1', 'unique local'],
  ['loopback', '127.0.0.1', 'loopback'],
  ['loopback', '127.255.255.254', 'all of 127/8'],
  ['loopback', '::1', 'IPv6 loopback'],
  ['unusable', '0.0.0.0', 'unspecified'],
  ['unusable', '::', 'IPv6 unspecified'],
  ['unusable', '255.255.255.255', 'broadcast'],
  ['unusable', '169.254.1.1', 'link-local'],
  ['unusable', 'fe80::1', 'IPv6 link-local'],
  ['unusable', '224.0.0.1', 'multicast'],
  ['unusable', 'ff02::1', 'IPv6 multicast'],
  ['unusable', '240.0.0.1', 'reserved'],
  ['unusable', '192.0.2.1', 'TEST-NET-1'],
  ['unusable', '198.51.100.1', 'TEST-NET-2'],
  ['unusable', '203.0.113.1', 'TEST-NET-3'],
  ['unusable', '198.18.0.1', 'benchmarking'],
  ['unusable', '2001:db8::1', 'documentation'],
  ['unusable', '::ffff:8.8.8.8', 'IPv4 mapped to IPv6'],
  ['unusable', '::ffff:127.0.0.1', 'loopback mapped to IPv6'],
  ['unusable', '64:ff9b::7f00:1', 'loopback behind NAT64'],
  ['unusable', '2002:7f00:1::1', 'loopback behind 6to4'],
  ['unusable', 'example.org', 'a name'],
  ['unusable', '', 'nothing'],
]

describe('the scope of a host', () => {
  for (const [scope, host, what] of scopes)
    test(`${JSON.stringify(host)} is ${scope}: ${what}`, () => assert.equal(scopeOf(host), scope))
})

describe('the offer of a remote', () => {
  const refused: ReadonlyArray<[string, string]> = [
    ['/ip4/127.0.0.1/tcp/22', 'loopback'],
    ['/ip6/::1/tcp/22', 'IPv6 loopback'],
    ['/ip6/::ffff:127.0.0.1/tcp/22', 'loopback mapped to IPv6'],
    ['/ip4/169.254.169.254/tcp/80', 'link-local, where clouds keep their secrets'],
    ['/ip4/224.0.0.1/tcp/1', 'multicast'],
    ['/ip4/0.0.0.0/tcp/22', 'unspecified'],
    ['/ip4/192.0.2.1/tcp/1', 'documentation'],
    ['/ip4/8.8.8.8/tcp/0', 'port 0'],
    ['/ip4/192.168.1.1/tcp/80', "a router's pages"],
    ['/ip6/fd00::1/tcp/445', 'a system service of the neighbourhood'],
    ['/ip4/8.8.8.8/udp/4001', 'UDP'],
    ['/ip4/8.8.8.8/udp/4001/quic-v1', 'QUIC'],
    ['/ip4/8.8.8.8/tcp/80/ws', 'WebSocket'],
    ['/ip4/8.8.8.8/tcp/443/tls/ws', 'WebSocket over TLS'],
    ['/ip4/8.8.8.8', 'no port'],
    ['/tcp/80', 'no host'],
    ['/dns4/localhost/tcp/22', 'a name that may lead anywhere'],
    ['/dnsaddr/example.org', 'a name that stands for many'],
    [`/p2p/${PEER}`, 'a peer id alone'],
    [`/ip4/8.8.8.8/tcp/4001/p2p/${RELAY}/p2p-circuit`, 'a circuit'],
    [`/ip4/8.8.8.8/tcp/4001/p2p/${RELAY}/p2p-circuit/p2p/${PEER}`, 'a circuit to a peer'],
    ['/unix/%2Ftmp%2Fsocket', 'a socket in the file system'],
  ]
  for (const [addr, what] of refused) {
    test(`${addr} is refused: ${what}`, () => {
      const remote = new RemoteCandidates([], { acceptLoopback: false })
      assert.equal(remote.offer(multiaddr(addr)), false)
      assert.deepEqual([remote.public, remote.private, remote.loopback], [[], [], []])
    })
  }

  test('public and private addresses are kept apart', () => {
    const remote = new RemoteCandidates([], { acceptLoopback: false })
    for (const addr of ['/ip4/8.8.8.8/tcp/1', '/ip4/10.0.0.1/tcp/2000', '/ip6/2a00:1450:4001::1/tcp/3'])
      assert.equal(remote.offer(multiaddr(addr)), true)
    assert.deepEqual(remote.public.map(String), ['/ip4/8.8.8.8/tcp/1', '/ip6/2a00:1450:4001::1/tcp/3'])
    assert.deepEqual(remote.private.map(String), ['/ip4/10.0.0.1/tcp/2000'])
  })

  test('a /p2p suffix is cut off, whomever it names', () => {
    const remote = new RemoteCandidates([], { acceptLoopback: false })
    assert.equal(remote.offer(multiaddr(`/ip4/8.8.8.8/tcp/1/p2p/${PEER}`)), true)
    assert.deepEqual(remote.public.map(String), ['/ip4/8.8.8.8/tcp/1'])
  })

  test('loopback is accepted only where it was asked for', () => {
    const remote = new RemoteCandidates([], { acceptLoopback: true })
    assert.equal(remote.offer(multiaddr('/ip4/127.0.0.1/tcp/4001')), true)
    assert.equal(remote.offer(multiaddr('/ip4/127.0.0.1/tcp/22')), false)
    assert.deepEqual(remote.loopback.map(String), ['/ip4/127.0.0.1/tcp/4001'])
  })

  test("this node's own addresses are refused, and its neighbour's port is not", () => {
    const own = [`/ip4/8.8.8.8/tcp/4001/p2p/${PEER}`, '/ip4/10.0.0.1/tcp/4001']
    const remote = new RemoteCandidates(
      own.map(it => multiaddr(it)),
      { acceptLoopback: false },
    )
    assert.equal(remote.offer(multiaddr('/ip4/8.8.8.8/tcp/4001')), false)
    assert.equal(remote.offer(multiaddr(`/ip4/8.8.8.8/tcp/4001/p2p/${RELAY}`)), false)
    assert.equal(remote.offer(multiaddr('/ip4/10.0.0.1/tcp/4001')), false)
    assert.equal(remote.offer(multiaddr('/ip4/8.8.8.8/tcp/4002')), true)
  })

  test(`of 1000 addresses the first ${MAX_CANDIDATES} are accepted`, () => {
    const remote = new RemoteCandidates([], { acceptLoopback: false })
    const answers = Array.from({ length: 1000 }, (_, n) =>
      remote.offer(multiaddr(`/ip4/8.8.${n >> 8}.${n & 255}/tcp/4001`)),
    )
    assert.equal(answers.filter(Boolean).length, MAX_CANDIDATES)
    assert.deepEqual(
      remote.public.map(String),
      Array.from({ length: MAX_CANDIDATES }, (_, n) => `/ip4/8.8.0.${n}/tcp/4001`),
    )
  })

  test('a duplicate takes no second place, and is told to be accepted', () => {
    const remote = new RemoteCandidates([], { acceptLoopback: false })
    for (let n = 0; n < 100; n++) assert.equal(remote.offer(multiaddr('/ip4/8.8.8.8/tcp/1')), true)
    assert.equal(remote.public.length, 1)
  })
})

describe('the offer of this node', () => {
  const local = {
    observed: ['/ip4/8.8.8.8/tcp/4001', '/ip4/127.0.0.1/tcp/4001'].map(it => multiaddr(it)),
    announced: [`/ip4/9.9.9.9/tcp/4001/p2p/${PEER}`, '/dns4/example.org/tcp/1'].map(it => multiaddr(it)),
    listening: ['/ip4/192.168.1.2/tcp/4001', '/ip4/127.0.0.1/tcp/4001', '/ip4/8.8.8.8/tcp/4001'].map(it =>
      multiaddr(it),
    ),
    reachable: ['/ip4/8.8.8.8/tcp/4001', '/ip4/192.168.1.2/tcp/4001', '/dns4/example.org/tcp/1'].map(it =>
      multiaddr(it),
    ),
  }

  test('to all who dial without a punch: the reachable addresses on the public network', () => {
    assert.deepEqual(reachableCandidates(local).map(String), ['/ip4/8.8.8.8/tcp/4001'])
  })

  test('to the public: what relays observe first, each once, no loopback, no name, no peer id', () => {
    assert.deepEqual(publicCandidates(local).map(String), ['/ip4/8.8.8.8/tcp/4001', '/ip4/9.9.9.9/tcp/4001'])
  })

  test('within a NAT: the private addresses of the interfaces', () => {
    assert.deepEqual(privateCandidates(local).map(String), ['/ip4/192.168.1.2/tcp/4001'])
  })

  test(`is never more than ${MAX_CANDIDATES} addresses`, () => {
    const observed = Array.from({ length: 100 }, (_, n) => multiaddr(`/ip4/8.8.8.${n}/tcp/1`))
    assert.equal(publicCandidates({ ...local, observed }).length, MAX_CANDIDATES)
  })

  test('keeps both families where one of them has hundreds of addresses', () => {
    const crowd = Array.from({ length: 100 }, (_, n) => multiaddr(`/ip4/8.8.8.${n}/tcp/1`))
    const inside = Array.from({ length: 100 }, (_, n) => multiaddr(`/ip4/172.18.${n}.1/tcp/4001`))
    const rare = ['/ip6/2a00::1/tcp/1', '/ip6/fd00::1/tcp/4001'].map(it => multiaddr(it))
    const listening = [...inside, ...rare]
    assert.ok(publicCandidates({ ...local, observed: crowd, listening }).some(isIPv6))
    assert.ok(privateCandidates({ ...local, listening }).some(isIPv6))
    assert.ok(reachableCandidates({ ...local, reachable: [...crowd, ...rare] }).some(isIPv6))
  })

  test('to a peer behind the same NAT has private addresses beside many public ones, and no more than it takes', () => {
    const observed = Array.from({ length: 100 }, (_, n) => multiaddr(`/ip4/8.8.8.${n}/tcp/1`))
    const listening = Array.from({ length: 100 }, (_, n) => multiaddr(`/ip4/172.18.${n}.1/tcp/4001`))
    const offer = offerTo({ ...local, observed, listening }, RemoteCandidates.from([observed[0]!], remote))
    const accepted = RemoteCandidates.from(offer, remote)
    assert.equal(offer.length, MAX_CANDIDATES)
    assert.deepEqual([accepted.public.length, accepted.private.length], [4, 4])
  })

  const remote = { observed: [], announced: [], listening: [], reachable: [] }

  test('of a remote with hundreds of addresses of one family is taken with some of the other', () => {
    const crowd = Array.from({ length: 100 }, (_, n) => multiaddr(`/ip4/8.8.8.${n}/tcp/1`))
    const rare = multiaddr('/ip6/2a00::1/tcp/1')
    const { public: accepted } = RemoteCandidates.from([...crowd, ...crowd, rare], remote)
    assert.deepEqual([accepted.length, accepted.at(-1)?.toString()], [MAX_CANDIDATES, rare.toString()])
  })

  test('peers with one public address share a host, whatever their ports', () => {
    const [one, same, other] = ['/ip4/8.8.8.8/tcp/1', '/ip4/8.8.8.8/tcp/2', '/ip4/8.8.4.4/tcp/1'].map(it =>
      multiaddr(it),
    ) as [ReturnType<typeof multiaddr>, ReturnType<typeof multiaddr>, ReturnType<typeof multiaddr>]
    assert.equal(shareHost([one], [other, same]), true)
    assert.equal(shareHost([one], [other]), false)
    assert.equal(shareHost([], []), false)
  })
})
