/** What relays see of the punch port. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { ObservedEndpoints } from '../../../../src/holepunch/observed-endpoints.ts'
import type { Connection } from '@libp2p/interface'

const PEER = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo'

function connection(id: string, remoteAddr: string, direct = true): Connection {
  return { id, remoteAddr: multiaddr(remoteAddr), direct } as unknown as Connection
}

const one = connection('one', '/ip4/8.8.8.8/tcp/4001')
const sameHost = connection('same host', '/ip4/8.8.8.8/tcp/4002')
const two = connection('two', '/ip4/9.9.9.9/tcp/4001')

describe('an observed endpoint', () => {
  test('is noted without the peer id that identify appends', () => {
    const observed = new ObservedEndpoints()
    observed.note(one, multiaddr(`/ip4/11.0.0.1/tcp/5000/p2p/${PEER}`))
    assert.deepEqual(observed.endpoints().map(String), ['/ip4/11.0.0.1/tcp/5000'])
    assert.equal(observed.has(one), true)
  })

  const ignored: ReadonlyArray<[string, Connection, string]> = [
    ['over a circuit', connection('circuit', '/ip4/8.8.8.8/tcp/4001', false), '/ip4/11.0.0.1/tcp/5000'],
    ['that is a circuit', one, `/ip4/11.0.0.1/tcp/5000/p2p/${PEER}/p2p-circuit`],
    ['of UDP', one, '/ip4/11.0.0.1/udp/5000'],
    ['of a WebSocket', one, '/ip4/11.0.0.1/tcp/5000/ws'],
    ['with a name', one, '/dns4/example.org/tcp/5000'],
    ['on our own host, told by a relay that is not there,', one, '/ip4/127.0.0.1/tcp/5000'],
    ['that nobody can have', one, '/ip4/224.0.0.1/tcp/5000'],
  ]
  for (const [what, from, addr] of ignored) {
    test(`${what} is ignored`, () => {
      const observed = new ObservedEndpoints()
      observed.note(from, multiaddr(addr))
      assert.deepEqual(observed.endpoints(), [])
      assert.equal(observed.has(from), false)
    })
  }

  test('is forgotten when its connection closes, and no other is', () => {
    const observed = new ObservedEndpoints()
    observed.note(one, multiaddr('/ip4/11.0.0.1/tcp/5000'))
    observed.note(two, multiaddr('/ip4/11.0.0.1/tcp/5001'))
    observed.forget(one)
    assert.deepEqual(observed.endpoints().map(String), ['/ip4/11.0.0.1/tcp/5001'])
    observed.forget(two)
    assert.deepEqual(observed.endpoints(), [])
  })

  test('is listed once, the most recent first', () => {
    const observed = new ObservedEndpoints()
    observed.note(one, multiaddr('/ip4/11.0.0.1/tcp/5000'))
    observed.note(sameHost, multiaddr('/ip4/11.0.0.1/tcp/5000'))
    observed.note(two, multiaddr('/ip4/11.0.0.1/tcp/5001'))
    assert.deepEqual(observed.endpoints().map(String), ['/ip4/11.0.0.1/tcp/5001', '/ip4/11.0.0.1/tcp/5000'])
  })

  test('replaces what the same connection said before', () => {
    const observed = new ObservedEndpoints()
    observed.note(one, multiaddr('/ip4/11.0.0.1/tcp/5000'))
    observed.note(one, multiaddr('/ip4/11.0.0.1/tcp/5001'))
    assert.deepEqual(observed.endpoints().map(String), ['/ip4/11.0.0.1/tcp/5001'])
  })
})
