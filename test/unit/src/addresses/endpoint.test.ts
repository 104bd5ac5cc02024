/** Endpoints in multiaddrs. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { endpointOf, withoutPeerId } from '../../../../src/addresses/endpoint.ts'

const RELAY = '12D3KooWL5EJpdxa6nS6dWTnp9ZbK2YYUYMhDT7isMsjqnfhAxQi'
const PEER = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo'

describe('an endpoint', () => {
  const cases: ReadonlyArray<[string, string, number]> = [
    ['/ip4/8.8.8.8/tcp/4001', '8.8.8.8', 4001],
    ['/ip6/2a00:1450:4001::1/tcp/1', '2a00:1450:4001::1', 1],
    [`/ip4/8.8.8.8/tcp/4001/p2p/${PEER}`, '8.8.8.8', 4001],
    ['/ip4/8.8.8.8', '8.8.8.8', 0],
    ['/dns4/example.org/tcp/80', 'example.org', 80],
  ]
  for (const [addr, host, port] of cases)
    test(`of ${addr} is ${host} ${port}`, () => assert.deepEqual(endpointOf(multiaddr(addr)), { host, port }))

  test('of an address without a host is an error', () => {
    assert.throws(() => endpointOf(multiaddr(`/p2p/${PEER}`)))
  })
})

describe('without the peer id at its end', () => {
  const relay = `/ip4/8.8.8.8/tcp/4001/p2p/${RELAY}`
  const cases: ReadonlyArray<[string, string]> = [
    [relay, '/ip4/8.8.8.8/tcp/4001'],
    ['/ip4/8.8.8.8/tcp/4001', '/ip4/8.8.8.8/tcp/4001'],
    [`${relay}/p2p-circuit`, `${relay}/p2p-circuit`],
    [`${relay}/p2p-circuit/p2p/${PEER}`, `${relay}/p2p-circuit`],
  ]
  for (const [addr, rest] of cases)
    test(`${addr} is ${rest}`, () => assert.equal(withoutPeerId(multiaddr(addr)).toString(), rest))
})
