/** The embeddable peer on loopback: paths, what cannot be reached, and that nothing is left behind. */

import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import { createPeer } from '../../peer/index.ts'
import { createRelay } from '../../relay/index.ts'
import { once } from '../waits.ts'
import type { AddressInfo } from 'node:net'
import type { Peer, PeerInit } from '../../peer/index.ts'
import type { Relay, RelayInit } from '../../relay/index.ts'
import type { TestContext } from 'node:test'

const SOMEBODY = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'
const LIMIT = { timeout: 30_000 }

const soon = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(10_000) })

async function startRelay(t: TestContext, init: RelayInit = {}): Promise<Relay> {
  const relay = await createRelay({ profile: 'private', listen: ['/ip4/127.0.0.1/tcp/0'], ...init })
  t.after(() => relay.stop())
  return relay
}

async function startPeer(t: TestContext, init: PeerInit): Promise<Peer> {
  const peer = await createPeer(init)
  t.after(() => peer.stop())
  return peer
}

describe('a connection', () => {
  it('begins relayed, and becomes direct where both and their relay share a network', LIMIT, async t => {
    const relays = [String((await startRelay(t)).addrs[0])]
    const listener = await startPeer(t, { relays })
    await listener.reachable(soon())
    const dialer = await startPeer(t, { relays, reserve: false })
    const changed = new Promise<string>(resolve =>
      dialer.addEventListener('path:changed', ({ detail }) => resolve(detail.path), { once: true }),
    )
    const connection = await dialer.connect(listener.addrs[0]!, soon())
    assert.equal(connection.path, 'relayed')
    await connection.direct(soon())
    assert.equal(connection.path, 'direct')
    assert.equal(await changed, 'direct')
    assert.equal((await connection.ping(soon())).path, 'direct')
  })

  it('is found by peer id at the relays that the dialer knows', LIMIT, async t => {
    const relays = [String((await startRelay(t)).addrs[0])]
    const listener = await startPeer(t, { relays })
    await listener.reachable(soon())
    const dialer = await startPeer(t, { relays, reserve: false })
    const connection = await dialer.connect(listener.peerId.toString(), soon())
    assert.equal(connection.remotePeer.toString(), listener.peerId.toString())
  })
})

describe('connect', () => {
  const malformed = ['', 'web', '/ip4/300.1.1.1/tcp/1', '/ip4/127.0.0.1/tcp/1', '/p2p-circuit']
  for (const target of malformed)
    it(`refuses the target ${JSON.stringify(target)}`, LIMIT, async t => {
      const peer = await startPeer(t, {})
      await assert.rejects(peer.connect(target, soon()), { name: 'InvalidTargetError' })
    })

  it('says that a peer holds no reservation', LIMIT, async t => {
    const peer = await startPeer(t, { relays: [...(await startRelay(t)).addrs], reserve: false })
    await assert.rejects(peer.connect(SOMEBODY, soon()), {
      name: 'UnreachableError',
      message: /NO_RESERVATION/,
    })
  })

  it('says that a relay is down', LIMIT, async t => {
    const peer = await startPeer(t, {})
    const target = `/ip4/127.0.0.1/tcp/1/p2p/${SOMEBODY}/p2p-circuit/p2p/${peer.peerId}`
    const other = await startPeer(t, {})
    await assert.rejects(other.connect(target, soon()), {
      name: 'UnreachableError',
      message: /nothing listens there/,
    })
  })

  for (const limits of [{ maxConnections: 1 }, { maxConnectionsPerNetwork: 1 }])
    it(
      `says that a relay may be full (${JSON.stringify(limits)}), and not that it speaks no libp2p`,
      LIMIT,
      async t => {
        const relay = await startRelay(t, limits)
        const first = await startPeer(t, { relays: [...relay.addrs] })
        await first.reachable(soon())
        const peer = await startPeer(t, { reserve: false })
        await assert.rejects(peer.connect(String(relay.addrs[0]), soon()), {
          name: 'UnreachableError',
          message: /it may have as many connections as it may|the other side may have as many connections/,
        })
      },
    )

  it('says that what answers does not speak libp2p', LIMIT, async t => {
    const server = createServer(socket => {
      socket.on('error', () => {}) // the peer resets the connection
      socket.end('HTTP/1.0 400 Bad Request\r\n\r\n')
    }).listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const peer = await startPeer(t, {})
    const other = await startPeer(t, {})
    const target = `/ip4/127.0.0.1/tcp/${port}/p2p/${SOMEBODY}/p2p-circuit/p2p/${other.peerId}`
    await assert.rejects(peer.connect(target, soon()), {
      name: 'UnreachableError',
      message: /does not speak libp2p/,
    })
  })

  it('says that another peer answers', LIMIT, async t => {
    const relay = await startRelay(t)
    const peer = await startPeer(t, {})
    const addr = String(relay.addrs[0]).replace(relay.peerId.toString(), SOMEBODY)
    const message = /another peer answers there/
    await assert.rejects(peer.connect(`${addr}/p2p-circuit/p2p/${relay.peerId}`, soon()), { message })
  })
})

describe('a reservation', () => {
  it('is made once the relay is there, and again when it is back', { timeout: 60_000 }, async t => {
    const first = await startRelay(t)
    const { privateKey, addrs } = { privateKey: keyOf(first), addrs: [...first.addrs] }
    const listen = [String(addrs[0]).replace(/\/p2p\/.*/, '')]
    const peer = await startPeer(t, { relays: addrs })
    await peer.reachable(soon())
    const lost = once(peer as never, 'reservation:lost', soon())
    await first.stop()
    await lost
    const granted = once(peer as never, 'reservation:granted', { signal: AbortSignal.timeout(30_000) })
    await startRelay(t, { listen, privateKey })
    await granted
  })

  it('that is refused is told with the reason', LIMIT, async t => {
    const relay = await startRelay(t, { maxReservations: 1 })
    const relays = [...relay.addrs]
    await (await startPeer(t, { relays })).reachable(soon())
    const refused = once(relay as never, 'reservation:refused', soon())
    const late = await startPeer(t, { relays })
    const [event] = (await once(late as never, 'reservation:failed', soon())) as [
      CustomEvent<{ reason: string }>,
    ]
    assert.match(event.detail.reason, /no room/)
    await refused
  })

  it('ends when its peer disconnects', LIMIT, async t => {
    const relay = await startRelay(t)
    const peer = await startPeer(t, { relays: [...relay.addrs] })
    await peer.reachable(soon())
    const ended = once(relay as never, 'reservation:ended', soon())
    await peer.stop()
    const [event] = (await ended) as [CustomEvent<{ reason: string }>]
    assert.equal(event.detail.reason, 'disconnected')
  })
})

describe('stopping', () => {
  it('is idempotent, for peer and relay', LIMIT, async t => {
    const relay = await startRelay(t)
    const peer = await startPeer(t, { relays: [...relay.addrs] })
    await Promise.all([peer.stop(), peer.stop()])
    await relay.stop()
    await relay.stop()
  })

  it('ends a wait for reachability by its signal only', LIMIT, async t => {
    const peer = await startPeer(t, { relays: [`/ip4/127.0.0.1/tcp/1/p2p/${SOMEBODY}`] })
    await assert.rejects(peer.reachable({ signal: AbortSignal.timeout(300) }))
  })
})

function keyOf({ libp2p }: Relay): NonNullable<RelayInit['privateKey']> {
  return (libp2p as unknown as { components: { privateKey: NonNullable<RelayInit['privateKey']> } })
    .components.privateKey
}
