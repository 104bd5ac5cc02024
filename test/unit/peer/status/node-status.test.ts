/** A snapshot of a node, over connections whose other end answers pings. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { streamPair } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { TypedEventEmitter } from 'main-event'
import { NodeStatus } from '../../../../peer/status/node-status.ts'
import { HandClock } from '../../hand-clock.ts'
import type { Connection, PeerId } from '@libp2p/interface'
import type { Clock } from '../../../../src/time/clock.ts'
import type { PeerEvents } from '../../../../peer/node/events.ts'
import type { PeerNames } from '../../../../peer/connections/names.ts'
import type { Peer } from '../../../../peer/node/peer.ts'

const me = await someone()
const first = '/ip4/192.0.2.7/tcp/4001'
const second = '/ip4/192.0.2.7/tcp/4002'
const circuit = `/ip4/192.0.2.1/tcp/4001/p2p/${await someone()}/p2p-circuit`

async function someone(): Promise<PeerId> {
  return peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
}

interface FakeConnection {
  remoteAddr: string
  status?: Connection['status']
  streams?: number
  isSilent?: boolean
}

/** What of a connection is looked at; pings that are asked for are counted. */
function connectionTo(remotePeer: PeerId, fake: FakeConnection): Connection & { pings: number } {
  const { remoteAddr, status = 'open', streams = 0, isSilent = false } = fake
  const connection = {
    remotePeer,
    remoteAddr: multiaddr(remoteAddr),
    status,
    streams: Array.from({ length: streams }),
    pings: 0,
    async newStream() {
      connection.pings++
      const [outbound, inbound] = await streamPair()
      if (!isSilent) inbound.addEventListener('message', ({ data }) => inbound.send(data))
      inbound.addEventListener('remoteCloseWrite', () => void inbound.close())
      return outbound
    },
  }
  return connection as unknown as Connection & { pings: number }
}

class FakePeer extends TypedEventEmitter<PeerEvents> {
  readonly connections: Connection[] = []
  readonly peerId = me
  readonly addrs = []
  readonly relays = []
  readonly libp2p = { getConnections: () => this.connections }

  tell(event: 'peer:connected' | 'path:changed', peerId: PeerId, remoteAddr: string): void {
    const path = remoteAddr === circuit ? 'relayed' : 'direct'
    this.safeDispatchEvent(event, { detail: { peerId, path, remoteAddr: multiaddr(remoteAddr) } })
  }
}

function watch(clock?: Clock): { peer: FakePeer; status: NodeStatus } {
  const peer = new FakePeer()
  const names = { nameOf: () => undefined } as unknown as PeerNames
  return { peer, status: new NodeStatus(peer as unknown as Peer, names, clock) }
}

test('a round trip is measured over the path that is used, and streams are counted over all', async () => {
  const { peer, status } = watch()
  const remote = await someone()
  const relayed = connectionTo(remote, { remoteAddr: circuit, streams: 1 })
  const direct = connectionTo(remote, { remoteAddr: first, streams: 2 })
  peer.connections.push(relayed, direct)
  peer.tell('peer:connected', remote, circuit)
  peer.tell('path:changed', remote, first)
  const [seen] = (await status.snapshot()).peers
  assert.equal(typeof seen?.rttMs, 'number')
  assert.equal(seen?.streams, 3)
  assert.deepEqual([relayed.pings, direct.pings], [0, 1])
})

test('a connection that took the place of one of the same kind is told, and pinged', async () => {
  const { peer, status } = watch()
  const remote = await someone()
  peer.tell('peer:connected', remote, first)
  peer.connections.push(
    connectionTo(remote, { remoteAddr: first, status: 'closing' }),
    connectionTo(remote, { remoteAddr: second }),
  )
  const [seen] = (await status.snapshot()).peers
  assert.equal(seen?.remoteAddr, second)
  assert.equal(typeof seen?.rttMs, 'number')
})

test('a direct connection that has not proved itself is not taken for the path', async () => {
  const { peer, status } = watch()
  const remote = await someone()
  const unproved = connectionTo(remote, { remoteAddr: first })
  peer.connections.push(connectionTo(remote, { remoteAddr: circuit }), unproved)
  peer.tell('peer:connected', remote, circuit)
  const [seen] = (await status.snapshot()).peers
  assert.equal(seen?.remoteAddr, circuit)
  assert.equal(unproved.pings, 0)
})

test('peers that have left take no round trip from those that are there', async () => {
  const { peer, status } = watch()
  const remote = await someone()
  peer.connections.push(connectionTo(remote, { remoteAddr: first }))
  peer.tell('peer:connected', remote, first)
  for (let count = 0; count < 100; count++)
    peer.safeDispatchEvent('peer:disconnected', { detail: { peerId: await someone() } })
  const { peers } = await status.snapshot()
  assert.equal(typeof peers.find(it => it.peerId === remote.toString())?.rttMs, 'number')
})

test('a peer that does not answer is told without a round trip, and holds up no other', async () => {
  const { peer, status } = watch()
  const [silent, quick] = [await someone(), await someone()]
  peer.connections.push(
    connectionTo(silent, { remoteAddr: first, isSilent: true }),
    connectionTo(quick, { remoteAddr: second }),
  )
  peer.tell('peer:connected', silent, first)
  peer.tell('peer:connected', quick, second)
  const { peers } = await status.snapshot({ signal: AbortSignal.timeout(200) })
  assert.equal(peers[0]?.rttMs, null)
  assert.equal(typeof peers[1]?.rttMs, 'number')
})

test('times and durations stay right when the wall clock is set', async () => {
  const [start, day] = [Date.UTC(2026, 5, 1), 86_400_000]
  for (const byMs of [0, 2 * day, -2 * day, -start]) {
    const clock = new HandClock(start)
    const { peer, status } = watch(clock)
    await clock.pass(1_000)
    const remote = await someone()
    peer.tell('peer:connected', remote, first)
    peer.safeDispatchEvent('holepunch:started', { detail: { peerId: remote, role: 'initiator' } })
    await clock.pass(2_000)
    clock.setWallBy(byMs)
    const { startedAt, uptimeMs, peers } = await status.snapshot()
    assert.deepEqual([startedAt, uptimeMs], [start + byMs, 3_000])
    assert.deepEqual([peers[0]?.since, peers[0]?.punch?.at], [start + byMs + 1_000, start + byMs + 1_000])
  }
})
