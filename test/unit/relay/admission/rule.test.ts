/** Rules of admission: how they are written, and whom they are about. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { findRule, ruleKind } from '../../../../relay/admission/rule.ts'
import type { Rule } from '../../../../relay/admission/rule.ts'

const ONE = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'
const OTHER = '12D3KooWPSzo7h7LqrMX1kGV5fwLUx3ciQGMixndYi18BVjBcTaV'
const place = { directory: '/', home: '/' }
const read = (text: string): Rule => ruleKind.parse(text, place)

function matches(rule: string, addr: string, peerId = ONE): boolean {
  return (
    findRule([read(rule)], { peerId: peerIdFromString(peerId), remoteAddr: multiaddr(addr) }) !== undefined
  )
}

describe('a rule', () => {
  for (const [text, printed] of [
    [ONE, ONE],
    ['192.0.2.0/24', '192.0.2.0/24'],
    ['192.0.2.7', '192.0.2.7/32'],
    ['2001:db8::/32', '2001:db8::/32'],
    ['2001:db8::1', '2001:db8::1/128'],
    ['::ffff:192.0.2.7', '192.0.2.7/32'],
    ['::ffff:192.0.2.0/120', '192.0.2.0/24'],
    ['::ffff:c000:200/120', '192.0.2.0/24'],
    ['0:0:0:0:0:FFFF:192.0.2.9/120', '192.0.2.0/24'],
    ['::ffff:192.0.2.7/128', '192.0.2.7/32'],
    ['::ffff:0:0/96', '0.0.0.0/0'],
    ['192.0.2.7/24', '192.0.2.0/24'],
    ['2001:db8::7/32', '2001:db8::/32'],
    ['fe80::1%eth0/64', 'fe80::/64'],
    ['fe80::1%eth0', 'fe80::1/128'],
    ['::/0', '::/0'],
    ['::1', '::1/128'],
    ['64:ff9b::192.0.2.0/120', '64:ff9b::c000:200/120'],
  ] as const)
    it(`${text} is read, and written as ${printed}`, () => {
      assert.equal(ruleKind.print?.(read(text)), printed)
    })

  for (const text of ['192.0.2.0/33', '192.0.2', '10.0.0.0/', '2001:db8::/129', 'anyone', ONE.slice(0, 20)])
    it(`is not ${text}`, () => assert.throws(() => read(text), /expected/))

  for (const [text, advice] of [
    ['::ffff:0:0/95', /at least 96 bits/],
    ['::ffff:192.0.2.0/24', /at least 96 bits for IPv4 addresses; write them as 192\.0\.2\.0\/24/],
    ['::c000:200/120', /such as 192\.0\.2\.0\/24/],
    ['::c000:207', /such as 192\.0\.2\.7\/32/],
    ['0.0.0.0', /write 0\.0\.0\.0\/0 and ::\/0/],
    ['0.0.0.0/32', /write 0\.0\.0\.0\/0 and ::\/0/],
    ['::', /write 0\.0\.0\.0\/0 and ::\/0/],
    ['::ffff:0.0.0.0', /write 0\.0\.0\.0\/0 and ::\/0/],
    ['192.0.2.1:4001', /expected an IP address/],
    ['[2001:db8::1]', /expected an IP address/],
    ['192.0.2.0/255.255.255.0', /expected an IP address/],
    ['/ip4/192.0.2.1', /expected an IP address/],
  ] as const)
    it(`that no peer can match is refused, with advice: ${text}`, () =>
      assert.throws(() => read(text), advice))

  for (const text of [
    '192.0.2.0/24',
    '192.0.2.77/24',
    '::ffff:192.0.2.0/120',
    '::ffff:c000:200/120',
    '::ffff:192.0.2.1',
    '::192.0.2.0/120',
    '0.0.0.0/0',
  ])
    it(`${text} holds for the IPv4 peer that it names, in both forms of its address`, () => {
      for (const addr of [
        '/ip4/192.0.2.1/tcp/1',
        '/ip6/::ffff:192.0.2.1/tcp/1',
        '/ip6/::ffff:c000:201/tcp/1',
      ])
        assert.ok(matches(text, addr), addr)
    })

  it('about a peer holds wherever that comes from', () => {
    assert.ok(matches(ONE, '/ip4/192.0.2.1/tcp/1'))
    assert.ok(!matches(ONE, '/ip4/192.0.2.1/tcp/1', OTHER))
  })

  it('about a range holds for the addresses in it, of the same family', () => {
    assert.ok(matches('192.0.2.0/24', '/ip4/192.0.2.255/tcp/1'))
    assert.ok(!matches('192.0.2.0/24', '/ip4/192.0.3.0/tcp/1'))
    assert.ok(!matches('192.0.2.0/24', '/ip6/2001:db8::1/tcp/1'))
    assert.ok(matches('2001:db8::/32', '/ip6/2001:db8:ffff::1/tcp/1'))
    assert.ok(!matches('2001:db8::/32', '/ip4/192.0.2.1/tcp/1'))
    assert.ok(matches('0.0.0.0/0', '/ip4/192.0.2.1/tcp/1'))
  })

  it('for IPv4 holds for its addresses written as IPv6', () => {
    assert.ok(matches('192.0.2.0/24', '/ip6/::ffff:192.0.2.1/tcp/1'))
  })

  it('about a range does not hold for an address that is a name', () => {
    assert.ok(!matches('0.0.0.0/0', '/dns4/relay.example/tcp/1'))
  })
})
