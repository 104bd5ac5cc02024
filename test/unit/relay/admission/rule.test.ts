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
  ] as const)
    it(`${text} is read, and written as ${printed}`, () => {
      assert.equal(ruleKind.print?.(read(text)), printed)
    })

  for (const text of ['192.0.2.0/33', '192.0.2', '10.0.0.0/', '2001:db8::/129', 'anyone', ONE.slice(0, 20)])
    it(`is not ${text}`, () => assert.throws(() => read(text), /expected/))

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
