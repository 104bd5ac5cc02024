/** Which remotes count as one. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { ipOf, networkOf, sharesOf } from '../../../../src/limits/ip-network.ts'

const PEER = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'

describe('the network of', () => {
  for (const [addr, family, key] of [
    ['/ip4/192.0.2.1/tcp/1', 'ipv4', '192.0.2.1'],
    ['/ip4/192.0.2.1/tcp/2/ws', 'ipv4', '192.0.2.1'],
    [`/ip4/192.0.2.1/tcp/1/p2p/${PEER}`, 'ipv4', '192.0.2.1'],
    ['/ip6/::ffff:192.0.2.1/tcp/1', 'ipv4', '192.0.2.1'],
    ['/ip6/::ffff:c000:201/tcp/1', 'ipv4', '192.0.2.1'],
    ['/ip6/2001:db8:1:2ff::1/tcp/1', 'ipv6', '2001:db8:1:200::/56'],
    ['/ip6/2001:db8:1:200:ffff:ffff:ffff:ffff/tcp/1', 'ipv6', '2001:db8:1:200::/56'],
    ['/ip6/::1/tcp/1', 'ipv6', '::/56'],
    ['/ip6zone/eth0/ip6/fe80::1/tcp/1', 'ipv6', 'fe80::/56'],
  ] as const)
    it(`${addr} is ${key}`, () => {
      const network = networkOf(multiaddr(addr))
      assert.deepEqual(network, { family, key })
    })

  it('two addresses of one /56 is the same, of two is not', () => {
    const keyOf = (ip: string): string => networkOf(multiaddr(`/ip6/${ip}/tcp/1`)).key
    assert.equal(keyOf('2001:db8:0:100::1'), keyOf('2001:db8:0:1ff::2'))
    assert.notEqual(keyOf('2001:db8:0:100::1'), keyOf('2001:db8:0:200::1'))
    assert.notEqual(keyOf('2001:db8:0:100::1'), keyOf('2001:db8:0:ff::1'))
  })

  for (const addr of ['/dns4/relay.example/tcp/1', '/unix/%2Ftmp%2Fsocket'])
    it(`${addr} is that address alone`, () => {
      const network = networkOf(multiaddr(addr))
      assert.equal(network.family, 'ipv4')
      assert.equal(network.key, multiaddr(addr).toString())
      assert.equal(ipOf(multiaddr(addr)), undefined)
    })
})

describe('the shares of', () => {
  for (const [addr, wide, narrow] of [
    ['/ip4/192.0.2.77/tcp/1', '192.0.2.0/24', '192.0.2.77/32'],
    ['/ip6/::ffff:192.0.2.77/tcp/1', '192.0.2.0/24', '192.0.2.77/32'],
    ['/ip6/2001:db8:1:2ff::1/tcp/1', '2001:db8:1::/48', '2001:db8:1:200::/56'],
    ['/dns4/relay.example/tcp/1', '/dns4/relay.example/tcp/1', '/dns4/relay.example/tcp/1'],
  ] as const)
    it(`${addr} are ${wide} and ${narrow}`, () => {
      assert.deepEqual(sharesOf(multiaddr(addr)), [wide, narrow])
    })
})
