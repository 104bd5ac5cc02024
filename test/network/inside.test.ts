/** A remote peer that names addresses of this host has nothing connected to, whichever side has dialled. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { createPeer } from '../../peer/index.ts'
import { startRelay, startTrap } from './circuit-stage.ts'
import { once } from '../waits.ts'
import type { Libp2p } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { Peer } from '../../peer/index.ts'
import type { Relay } from '../../relay/index.ts'

const LIMIT = { timeout: 60_000 }
const within = (ms: number): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(ms) })

/** A node that says it is at a port of this host, where something else listens. */
async function startHostile(t: TestContext, relay: Relay, port: number): Promise<Libp2p> {
  const hosts = ['/ip4/127.0.0.1', '/ip4/127.0.0.2', '/dns4/localhost', '/ip6/::ffff:127.0.0.1']
  const node = await createLibp2p({
    addresses: {
      listen: [`${relay.addrs[0]}/p2p-circuit`],
      announce: [
        ...hosts.map(it => `${it}/tcp/${port}`),
        `/ip4/127.0.0.1/tcp/${port}/ws`,
        `/ip4/127.0.0.1/tcp/${port}/p2p/12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw/p2p-circuit`,
      ],
    },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
  })
  t.after(() => node.stop())
  return node
}

async function startPeer(t: TestContext, relay: Relay, rank: 'named' | 'stranger'): Promise<Peer> {
  const peer = await createPeer({ relays: [...relay.addrs], rankOf: () => rank })
  t.after(() => peer.stop())
  await peer.reachable(within(10_000))
  return peer
}

describe('a peer whose relay is on its own host', { concurrency: true }, () => {
  for (const rank of ['stranger', 'named'] as const)
    it(`connects to no program on it for a ${rank} peer that dials it`, LIMIT, async t => {
      const [relay, trap] = [await startRelay(t), await startTrap(t)]
      const peer = await startPeer(t, relay, rank)
      const hostile = await startHostile(t, relay, trap.port)
      const failed = once(peer, 'holepunch:failed', { timeoutMs: 50_000 })
      await hostile.dial(multiaddr(`${relay.addrs[0]}/p2p-circuit/p2p/${peer.peerId}`), within(10_000))
      await failed
      assert.equal(trap.visits, 0)
    })

  it('connects to no program on it for a peer that it dials', LIMIT, async t => {
    const [relay, trap] = [await startRelay(t), await startTrap(t)]
    const peer = await startPeer(t, relay, 'stranger')
    const hostile = await startHostile(t, relay, trap.port)
    const connection = await peer.connect(hostile.peerId, within(10_000))
    await assert.rejects(connection.direct(within(30_000)))
    assert.equal(trap.visits, 0)
  })

  it('becomes direct with another peer on it, which it does not know', LIMIT, async t => {
    const relay = await startRelay(t)
    const [listener, dialer] = [await startPeer(t, relay, 'stranger'), await startPeer(t, relay, 'stranger')]
    const connection = await dialer.connect(listener.peerId, within(10_000))
    await connection.direct(within(20_000))
    assert.equal(connection.path, 'direct')
  })
})
