/** A hostile remote peer or ticket has a peer connect to nobody on the peer's own host. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { createPeer } from '../../peer/index.ts'
import { encodeTicket } from '../../peer/tickets/ticket.ts'
import { startRelay, startTrap } from './circuit-stage.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TestContext } from 'node:test'
import type { Peer, PeerInit } from '../../peer/index.ts'

/** The id and the key in a ticket. */
const SECRET_BYTES = 24

const LIMIT = { timeout: 40_000 }
const within = (ms: number): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(ms) })

async function startPeer(t: TestContext, init: PeerInit = {}): Promise<Peer> {
  const peer = await createPeer({ reserve: false, ...init })
  t.after(() => peer.stop())
  return peer
}

async function newId(): Promise<PeerId> {
  return peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
}

/** A ticket that is well-formed; nobody admits its secret. */
function ticketOf(peerId: PeerId, places: Multiaddr[]): string {
  const secret = randomBytes(SECRET_BYTES).toString('base64url')
  return encodeTicket({ peerId, places, service: 'web', secret, expiresAt: undefined })
}

/** The ways in which an address leads to a port of this host. */
const ways = (port: number, relay: PeerId): string[] => [
  `/ip4/127.0.0.1/tcp/${port}`,
  `/ip4/127.0.0.1/tcp/${port}/ws`,
  `/dns4/localhost/tcp/${port}`,
  `/dns4/localhost/tcp/${port}/ws`,
  `/dns/127.1/tcp/${port}`,
  `/dns4/0x7f000001/tcp/${port}/ws`,
  `/ip4/127.0.0.1/tcp/${port}/p2p/${relay}/p2p-circuit`,
  `/ip4/127.0.0.1/tcp/${port}/ws/p2p/${relay}/p2p-circuit`,
  `/dns4/localhost/tcp/${port}/p2p/${relay}/p2p-circuit`,
  `/dns4/localhost/tcp/${port}/ws/p2p/${relay}/p2p-circuit`,
  `/dns4/2130706433/tcp/${port}/ws/p2p/${relay}/p2p-circuit`,
]

describe('a peer', { concurrency: true }, () => {
  for (const how of ['peer.connect()', 'libp2p.dial()'])
    it(`connects to nothing on its host that a remote has listed in identify, by ${how}`, LIMIT, async t => {
      const trap = await startTrap(t)
      const peer = await startPeer(t)
      for (const way of ways(trap.port, await newId())) {
        const target = await newId()
        await peer.libp2p.peerStore.patch(target, { multiaddrs: [multiaddr(way)] })
        const dial = how === 'peer.connect()' ? peer : { connect: peer.libp2p.dial.bind(peer.libp2p) }
        await assert.rejects(async () => dial.connect(target, within(5_000)), way)
        assert.equal(trap.visits, 0, way)
      }
    })

  it('connects to nothing on its host that a ticket names, and says what allows it', LIMIT, async t => {
    const trap = await startTrap(t)
    const peer = await startPeer(t)
    for (const way of ways(trap.port, await newId())) {
      const peerId = await newId()
      const place = multiaddr(way.replace('/p2p-circuit', ''))
      const ticket = ticketOf(peerId, [place])
      await assert.rejects(async () => peer.connect(ticket, within(5_000)), /add it with --relay/)
      assert.equal(trap.visits, 0, way)
    }
  })

  it('connects to a relay on its host that a ticket names where it is one of its own', LIMIT, async t => {
    const relay = await startRelay(t)
    const listener = await startPeer(t, { relays: [...relay.addrs], reserve: true })
    await listener.reachable(within(10_000))
    const ticket = ticketOf(
      listener.peerId,
      relay.addrs.map(it => multiaddr(String(it))),
    )
    const stranger = await startPeer(t)
    await assert.rejects(async () => stranger.connect(ticket, within(10_000)), /add it with --relay/)
    const dialer = await startPeer(t, { relays: [...relay.addrs] })
    assert.equal((await dialer.connect(ticket, within(10_000))).path, 'relayed')
  })

  for (const how of ['peer.connect()', 'libp2p.dial()'])
    it(`connects to its host where the application names the address in ${how}`, LIMIT, async t => {
      const listener = await startPeer(t, { reserve: false })
      const addr = listener.libp2p.getMultiaddrs().find(it => String(it).startsWith('/ip4/127.0.0.1/'))
      assert.ok(addr !== undefined)
      const peer = await startPeer(t)
      if (how === 'peer.connect()') await peer.connect(addr, within(10_000))
      else await peer.libp2p.dial(addr, within(10_000))
      assert.equal(peer.libp2p.getConnections(listener.peerId).length, 1)
    })
})
