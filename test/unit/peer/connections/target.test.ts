/** What a person may name a remote peer by. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { parseTarget, readMultiaddr } from '../../../../peer/connections/target.ts'

const RELAY = '12D3KooWL5EJpdxa6nS6dWTnp9ZbK2YYUYMhDT7isMsjqnfhAxQi'
const PEER = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo'
const relay = `/ip4/192.0.2.1/tcp/4001/p2p/${RELAY}`
const circuit = `${relay}/p2p-circuit/p2p/${PEER}`

describe('a target', () => {
  const cases: ReadonlyArray<[string, Parameters<typeof parseTarget>[0], string[]]> = [
    ['that is a circuit address', circuit, [circuit]],
    ['that is a circuit multiaddr', multiaddr(circuit), [circuit]],
    ['that is a direct address', `/ip4/192.0.2.9/tcp/1/p2p/${PEER}`, [`/ip4/192.0.2.9/tcp/1/p2p/${PEER}`]],
    ['that is a peer id in text', PEER, []],
    ['that is a peer id', peerIdFromString(PEER), []],
    ['that is a peer id as a multiaddr', `/p2p/${PEER}`, []],
  ]
  for (const [what, target, addrs] of cases) {
    test(`${what} names the peer and ${addrs.length === 0 ? 'no address' : 'its address'}`, () => {
      const parsed = parseTarget(target)
      assert.equal(parsed.peerId.toString(), PEER)
      assert.deepEqual(parsed.addrs.map(String), addrs)
    })
  }

  const malformed: ReadonlyArray<[string, string, RegExp]> = [
    ['nothing', '', /neither a multiaddr nor a peer id/],
    ['a word', 'web', /neither a multiaddr nor a peer id/],
    ['a peer id with a typing error', PEER.slice(0, -1), /neither a multiaddr nor a peer id/],
    ['a URL', 'https://example.org/', /neither a multiaddr nor a peer id/],
    ['an address that is no address', '/ip4/300.0.0.1/tcp/1', /^Cannot use/],
    ['an unknown protocol', '/ip9/1/tcp/1', /^Cannot use/],
    ['an address with half a peer id', `/ip4/192.0.2.1/tcp/1/p2p/${PEER.slice(0, 20)}`, /complete peer id/],
    [
      'an address with a peer id with a letter that base58 lacks',
      '/ip4/192.0.2.1/tcp/1/p2p/12D3KooW0OIl',
      /complete peer id/,
    ],
    ['an address with half a CID', '/ip4/192.0.2.1/tcp/1/p2p/k51qzi5uqu5d', /complete peer id/],
    [
      'a circuit over half a relay id',
      `/ip4/192.0.2.1/tcp/1/p2p/Qmbad/p2p-circuit/p2p/${PEER}`,
      /"Qmbad" in it is not a complete peer id/,
    ],
    ['a circuit to half a peer id', `${relay}/p2p-circuit/p2p/12D3KooWx`, /complete peer id/],
    ['an address without a peer', '/ip4/192.0.2.1/tcp/4001', /does not end in \/p2p\/ and the peer's id/],
    ['a circuit without a peer', `${relay}/p2p-circuit`, /does not end in \/p2p\/ and the peer's id/],
  ]
  for (const [what, target, message] of malformed) {
    test(`that is ${what} is refused, and quoted`, () => {
      assert.throws(() => parseTarget(target), { name: 'InvalidTargetError', target, message })
      assert.throws(
        () => parseTarget(target),
        (error: Error) => error.message.includes(JSON.stringify(target)),
      )
    })
  }
})

test('an address that cannot be read is refused with the reason', () => {
  assert.throws(() => readMultiaddr('/ip4/nowhere'), { name: 'InvalidTargetError', target: '/ip4/nowhere' })
})
