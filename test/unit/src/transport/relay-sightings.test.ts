/** Which addresses are known to be relays. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { RelaySightings } from '../../../../src/transport/relay-sightings.ts'

const RELAY = '12D3KooWL5EJpdxa6nS6dWTnp9ZbK2YYUYMhDT7isMsjqnfhAxQi'
const PEER = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo'

test('a circuit address makes its relay known, by id and at whatever address', () => {
  const relays = new RelaySightings()
  relays.note([multiaddr(`/ip4/8.8.8.8/tcp/4001/p2p/${RELAY}/p2p-circuit/p2p/${PEER}`)])
  assert.equal(relays.has(multiaddr(`/ip4/8.8.8.8/tcp/4001/p2p/${RELAY}`)), true)
  assert.equal(relays.has(multiaddr(`/ip4/9.9.9.9/tcp/1/p2p/${RELAY}`)), true)
})

test('the peer at the end of a circuit is no relay', () => {
  const relays = new RelaySightings()
  relays.note([multiaddr(`/ip4/8.8.8.8/tcp/4001/p2p/${RELAY}/p2p-circuit/p2p/${PEER}`)])
  assert.equal(relays.has(multiaddr(`/ip4/8.8.8.8/tcp/4001/p2p/${PEER}`)), false)
})

test('a circuit address that does not name the relay makes its address known', () => {
  const relays = new RelaySightings()
  relays.note([multiaddr('/ip4/8.8.8.8/tcp/4001/p2p-circuit')])
  assert.equal(relays.has(multiaddr('/ip4/8.8.8.8/tcp/4001')), true)
  assert.equal(relays.has(multiaddr('/ip4/8.8.8.8/tcp/4002')), false)
})

test('other addresses are passed over', () => {
  const relays = new RelaySightings()
  relays.note([multiaddr(`/ip4/8.8.8.8/tcp/4001/p2p/${RELAY}`)])
  assert.equal(relays.has(multiaddr(`/ip4/8.8.8.8/tcp/4001/p2p/${RELAY}`)), false)
})

test('the last 1000 relays are remembered, and those that were seen long before them are forgotten', () => {
  const relays = new RelaySightings()
  const relay = (n: number): string => `/ip4/8.8.${n >> 8}.${n & 255}/tcp/1`
  const see = (n: number): void => relays.note([multiaddr(`${relay(n)}/p2p-circuit`)])
  for (let n = 0; n < 3000; n++) {
    see(n)
    if (n % 500 === 0) see(0)
  }
  assert.equal(relays.has(multiaddr(relay(0))), true)
  assert.equal(relays.has(multiaddr(relay(1))), false)
  for (let n = 2000; n < 3000; n++) assert.equal(relays.has(multiaddr(relay(n))), true)
})
