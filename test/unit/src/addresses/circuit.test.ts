/** Addresses of relays, and those that lead through one. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import {
  circuitAddr,
  isCircuit,
  lastPeerId,
  relayAddrOf,
  relayIdOf,
} from '../../../../src/addresses/circuit.ts'

const RELAY = '12D3KooWL5EJpdxa6nS6dWTnp9ZbK2YYUYMhDT7isMsjqnfhAxQi'
const PEER = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo'
const relay = `/ip4/192.0.2.1/tcp/4001/p2p/${RELAY}`
const circuit = `${relay}/p2p-circuit/p2p/${PEER}`

describe('a circuit address', () => {
  test('is made of a relay and a peer, and has the address of the relay', () => {
    assert.equal(circuitAddr(multiaddr(relay), peerIdFromString(PEER)).toString(), circuit)
    assert.equal(relayAddrOf(multiaddr(circuit)).toString(), relay)
  })

  const cases: ReadonlyArray<[string, boolean]> = [
    [circuit, true],
    [`${relay}/p2p-circuit`, true],
    ['/p2p-circuit', true],
    [`/dns4/example.org/tcp/443/tls/ws/p2p/${RELAY}/p2p-circuit`, true],
    [`/dnsaddr/example.org/p2p-circuit/p2p/${PEER}`, true],
    [relay, false],
    ['/ip4/192.0.2.1/tcp/4001', false],
    ['/dns/p2p-circuit/tcp/4001', false],
  ]
  for (const [addr, expected] of cases)
    test(`${expected ? 'is' : 'is not'} ${addr}`, () => assert.equal(isCircuit(multiaddr(addr)), expected))
})

describe('a relay', () => {
  test('is known by the peer id at the end of its address', () => {
    assert.equal(relayIdOf(multiaddr(relay)).toString(), RELAY)
  })

  for (const addr of ['/ip4/192.0.2.1/tcp/4001', circuit, `${relay}/p2p-circuit`]) {
    test(`is not at ${addr}`, () => {
      assert.throws(() => relayIdOf(multiaddr(addr)), {
        name: 'InvalidTargetError',
        message: /a relay's address/,
      })
    })
  }
})

test('the last peer id of an address is that of the peer, then of the relay, or none', () => {
  for (const [addr, id] of [
    [circuit, PEER],
    [`${relay}/p2p-circuit`, RELAY],
    [relay, RELAY],
    ['/p2p-circuit', ''],
  ] as const)
    assert.equal(lastPeerId(multiaddr(addr)), id)
})
