/** Which addresses a peer dials, by who has named them. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { DialPolicy } from '../../../../peer/connections/dial-policy.ts'
import type { LookUpHost } from '../../../../src/addresses/resolve-host.ts'

const RELAY = '12D3KooWL5EJpdxa6nS6dWTnp9ZbK2YYUYMhDT7isMsjqnfhAxQi'
const PEER = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo'

/** A name server that gives the address which a name spells, with hyphens for dots. */
const lookUp: LookUpHost = async host =>
  host
    .replace('localhost', '127-0-0-1')
    .split('.')
    .flatMap(label => {
      const address = label.replaceAll(label.includes('--') ? /-/g : '-', label.includes('--') ? ':' : '.')
      return /^[\d.]+$|:/.test(address) ? [{ address, family: address.includes(':') ? 6 : 4 }] : []
    })

const policyFor = (...relays: string[]): DialPolicy =>
  new DialPolicy(addr => relays.includes(addr.toString()), lookUp)

const dialled = async (policy: DialPolicy, addr: string): Promise<string[]> =>
  (await policy.resolve(multiaddr(addr))).map(String)

const inside: Readonly<Record<string, string>> = {
  loopback: '/ip4/127.0.0.1/tcp/8080',
  'any loopback': '/ip4/127.8.9.1/tcp/8080',
  'IPv6 loopback': '/ip6/::1/tcp/8080',
  'this host': '/ip4/0.0.0.0/tcp/8080',
  'this host by IPv6': '/ip6/::/tcp/8080',
  'a private network': '/ip4/192.168.1.1/tcp/8080',
  'another private network': '/ip4/10.0.0.1/tcp/443/wss',
  'a third private network': '/ip4/172.16.0.1/tcp/80/ws',
  'a carrier NAT': '/ip4/100.64.0.1/tcp/8080',
  'the link': '/ip4/169.254.1.1/tcp/8080',
  'the link by IPv6': '/ip6/fe80::1/tcp/8080',
  'the link by IPv6 with a zone': '/ip6zone/eth0/ip6/fe80::1/tcp/8080',
  'a metadata service': '/ip4/169.254.169.254/tcp/80/ws',
  'a metadata service by IPv6': '/ip6/fd00:ec2::254/tcp/80/ws',
  'a unique local address': '/ip6/fd12:3456::1/tcp/8080',
  'IPv4 in IPv6': '/ip6/::ffff:127.0.0.1/tcp/8080',
  'IPv4 by NAT64': '/ip6/64:ff9b::7f00:1/tcp/8080',
  'IPv4 by 6to4': '/ip6/2002:7f00:1::1/tcp/8080',
  'a socket of this host': '/unix/%2Frun%2Fdocker.sock',
  'a multicast group': '/ip4/224.0.0.1/tcp/8080',
  'a name of loopback': '/dns4/localhost/tcp/8080/ws',
  'a name that an address stands behind': '/dns/127-0-0-1.example.org/tcp/8080',
  'a name of a private network': '/dns4/192-168-1-1.example.org/tcp/443/wss',
  'a name of the metadata service': '/dns4/169-254-169-254.example.org/tcp/80/ws',
  'a name of IPv6 loopback': '/dns6/--1.example.org/tcp/8080',
  'a list of addresses': '/dnsaddr/example.org/tcp/8080',
  'two hosts in one address': '/ip4/9.9.9.9/tcp/443/tls/sni/localhost/ws',
}

describe('an address that a remote peer or a ticket names', () => {
  for (const [what, addr] of Object.entries(inside))
    for (const circuit of [false, true]) {
      const full = circuit ? `${addr}/p2p/${RELAY}/p2p-circuit/p2p/${PEER}` : `${addr}/p2p/${PEER}`
      const checked = circuit ? `${addr}/p2p/${RELAY}` : full
      test(`is not dialled where it is ${what}${circuit ? ', of the relay of a circuit' : ''}`, async () => {
        const policy = policyFor()
        await assert.rejects(dialled(policy, checked), { name: 'DialNotAllowedError', message: /--relay/ })
        if (!addr.startsWith('/dns')) assert.equal(policy.mayBeDialled(multiaddr(full)), false)
      })
    }

  test('is dialled where it is public', async () => {
    for (const addr of [
      '/ip4/9.9.9.9/tcp/4001',
      '/ip6/2620:fe::fe/tcp/443/wss',
      '/ip4/9.9.9.9/tcp/443/tls/ws',
    ])
      assert.deepEqual(await dialled(policyFor(), addr), [addr])
  })

  test('is dialled at the public addresses of its name alone', async () => {
    const addr = '/dns/9-9-9-9.127-0-0-1.10-0-0-1.example.org/tcp/4001'
    assert.deepEqual(await dialled(policyFor(), addr), ['/ip4/9.9.9.9/tcp/4001'])
  })

  test('is not looked up where its name means another host in a URL', async () => {
    for (const host of ['x@127.0.0.1#9-9-9-9.example.org', '9-9-9-9.example.org?', 'a b', '１２７.0.0.1'])
      await assert.rejects(policyFor().resolve(multiaddr([{ code: 54, name: 'dns4', value: host }])), {
        name: 'DialNotAllowedError',
      })
  })
})

describe('an address that a person has given', () => {
  for (const [what, addr] of Object.entries(inside)) {
    if (addr.startsWith('/dnsaddr')) continue
    test(`is dialled where it is ${what}`, async () => {
      const policy = policyFor()
      policy.allow(multiaddr(`${addr}/p2p/${RELAY}/p2p-circuit/p2p/${PEER}`))
      const found = await dialled(policy, `${addr}/p2p/${RELAY}`)
      assert.ok(found.length > 0)
      if (!addr.startsWith('/dns')) assert.deepEqual(found, [String(multiaddr(`${addr}/p2p/${RELAY}`))])
    })
  }

  test('allows its own port alone', async () => {
    const policy = policyFor()
    policy.allow(multiaddr(`/ip4/127.0.0.1/tcp/4001/p2p/${RELAY}/p2p-circuit/p2p/${PEER}`))
    assert.equal(policy.mayBeDialled(multiaddr('/ip4/127.0.0.1/tcp/4001')), true)
    for (const other of ['/ip4/127.0.0.1/tcp/4002', '/ip4/127.0.0.2/tcp/4001', '/ip4/127.0.0.1/tcp/4001/ws'])
      assert.equal(policy.mayBeDialled(multiaddr(other)), false, other)
  })

  test('is that of a relay of this peer', async () => {
    const policy = policyFor('/ip4/192.168.1.2/tcp/4001')
    assert.deepEqual(await dialled(policy, `/ip4/192.168.1.2/tcp/4001/p2p/${RELAY}`), [
      `/ip4/192.168.1.2/tcp/4001/p2p/${RELAY}`,
    ])
    // the id of a relay of ours does not make another address its own
    await assert.rejects(dialled(policy, `/ip4/192.168.1.3/tcp/4001/p2p/${RELAY}`))
  })

  test('is remembered as long as it is used, and not without a bound', async () => {
    const policy = policyFor()
    const used = multiaddr('/ip4/127.0.0.1/tcp/4001')
    const unused = multiaddr('/ip4/127.0.0.1/tcp/4002')
    for (const addr of [used, unused]) policy.allow(addr)
    for (let n = 0; n < 20_000; n++) {
      policy.allow(multiaddr(`/ip4/10.0.${n >> 8}.${n & 255}/tcp/1`))
      if (n % 1_000 === 0) assert.equal(policy.isGiven(used), true)
    }
    assert.equal(policy.isGiven(unused), false)
  })

  test('allows nothing where it is a peer id alone', () => {
    const policy = policyFor()
    policy.allow(multiaddr(`/p2p/${PEER}`))
    assert.equal(policy.mayBeDialled(multiaddr(`/p2p/${RELAY}`)), false)
  })
})
