/** Which addresses a punch can lead to. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { isPunchable } from '../../../../src/transport/punch-transport.ts'

const PEER = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo'

describe('a punch', () => {
  for (const addr of [
    '/ip4/11.0.0.1/tcp/5000',
    '/ip6/2001:db8::1/tcp/5000',
    `/ip4/11.0.0.1/tcp/5000/p2p/${PEER}`,
  ])
    it(`can lead to ${addr}`, () => assert.equal(isPunchable(multiaddr(addr)), true))

  for (const addr of [
    '/ip4/11.0.0.1/udp/5000',
    '/ip4/11.0.0.1/udp/5000/quic-v1',
    '/ip4/11.0.0.1/tcp/5000/ws',
    `/ip4/11.0.0.1/tcp/5000/tls/ws/p2p/${PEER}`,
    `/ip4/11.0.0.1/tcp/5000/p2p/${PEER}/p2p-circuit`,
    `/ip4/11.0.0.1/tcp/5000/p2p/${PEER}/p2p-circuit/p2p/${PEER}`,
    `/p2p/${PEER}`,
  ])
    it(`cannot lead to ${addr}`, () => assert.equal(isPunchable(multiaddr(addr)), false))
})
