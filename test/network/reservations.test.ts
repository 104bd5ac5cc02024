/** Reservations from the peer's side: kept where it can be done, explained where it cannot. */

import assert from 'node:assert/strict'
import net from 'node:net'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { raceSignal } from 'race-signal'
import { createPeer } from '../../peer/index.ts'
import { startRelay } from './circuit-stage.ts'
import { freePort } from './free-port.ts'
import {} from './tunnel-nodes.ts'
import { once } from '../waits.ts'
import type { AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type { Peer, PeerEvents, PeerInit } from '../../peer/index.ts'
import type { Relay } from '../../relay/index.ts'

const LIMIT = { timeout: 40_000 }
const SHORT_TTL_MS = 4_000
const SOMEBODY = '12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw'

const within = (ms: number): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(ms) })

async function startPeer(t: TestContext, init: PeerInit): Promise<Peer> {
  const peer = await createPeer(init)
  t.after(() => peer.stop())
  return peer
}

/** The next event of this name that satisfies the condition. */
async function next<Name extends keyof PeerEvents>(
  peer: Peer,
  name: Name,
  fits: (detail: PeerEvents[Name]['detail']) => boolean = () => true,
): Promise<PeerEvents[Name]['detail']> {
  const { promise, resolve } = Promise.withResolvers<PeerEvents[Name]['detail']>()
  const done = new AbortController()
  const onEvent = ({ detail }: PeerEvents[Name]): void => {
    if (fits(detail)) resolve(detail)
  }
  peer.addEventListener(name, onEvent as never, { signal: done.signal })
  try {
    return await raceSignal(promise, AbortSignal.timeout(20_000))
  } finally {
    done.abort()
  }
}

/** Resolves when this relay holds a reservation. */
async function granted(peer: Peer, relay: Relay['peerId']): Promise<void> {
  await next(peer, 'reservation:granted', it => it.relay.equals(relay))
}

/** A TCP server in a relay's place. */
async function serve(t: TestContext, onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = net.createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    onSocket(socket)
  })
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}/p2p/${SOMEBODY}`
}

describe('a reservation', { concurrency: 4 }, () => {
  it('is told with the circuit address, and gone from it after it was lost', LIMIT, async t => {
    const relay = await startRelay(t)
    const peer = await startPeer(t, { relays: [...relay.addrs] })
    const { addr, relay: relayId, expiresAt } = await next(peer, 'reservation:granted')
    assert.equal(addr.toString(), `${relay.addrs[0]}/p2p-circuit/p2p/${peer.peerId}`)
    assert.equal(relayId.toString(), relay.peerId.toString())
    assert.ok(expiresAt.getTime() > Date.now())
    assert.equal(peer.addrs[0]?.toString(), addr.toString())
    const lost = next(peer, 'reservation:lost')
    await relay.stop()
    assert.deepEqual((await lost).reason, 'disconnected')
    assert.equal(
      peer.addrs.some(it => it.toString().includes('/p2p-circuit')),
      false,
    )
  })

  it('is made at a relay that comes up after the peer', LIMIT, async t => {
    const privateKey = await generateKeyPair('Ed25519')
    const listen = [`/ip4/127.0.0.1/tcp/${await freePort()}`]
    const peer = await startPeer(t, { relays: [`${listen[0]}/p2p/${peerIdFromPrivateKey(privateKey)}`] })
    const { reason, retryInMs } = await next(peer, 'reservation:failed')
    assert.match(reason, /nothing listens there \(ECONNREFUSED\)/)
    assert.ok(retryInMs >= 250 && retryInMs <= 500, `${retryInMs} ms`)
    await startRelay(t, { listen, privateKey })
    await peer.reachable(within(20_000))
  })

  it('that a full relay refuses is made when there is room', LIMIT, async t => {
    const relay = await startRelay(t, { maxReservations: 1 })
    const relays = [...relay.addrs]
    const first = await startPeer(t, { relays })
    await first.reachable(within(10_000))
    const second = await startPeer(t, { relays })
    const { reason } = await next(second, 'reservation:failed')
    assert.match(reason, /no room for another reservation \(RESERVATION_REFUSED\)/)
    await first.stop()
    await second.reachable(within(20_000))
  })

  it('is kept at every relay, so that losing one leaves the peer reachable', LIMIT, async t => {
    const [one, two] = [await startRelay(t), await startRelay(t)]
    const peer = await startPeer(t, { relays: [...one.addrs, ...two.addrs] })
    await Promise.all([one, two].map(async ({ peerId }) => granted(peer, peerId)))
    const lost = next(peer, 'reservation:lost')
    await one.stop()
    assert.equal((await lost).relay.toString(), one.peerId.toString())
    await peer.reachable(within(100))
    const dialer = await startPeer(t, { relays: [...two.addrs], reserve: false })
    const connection = await dialer.connect(peer.peerId, within(10_000))
    assert.ok((await connection.ping(within(10_000))).rttMs > 0)
  })

  it('goes to a relay that stood by when one is lost', LIMIT, async t => {
    const relays = await Promise.all([1, 2, 3].map(async () => startRelay(t)))
    const peer = await startPeer(t, { relays: relays.flatMap(it => it.addrs), reservations: 2 })
    const stateOf = ({ peerId }: Relay): string | undefined =>
      peer.relays.find(it => it.relay.equals(peerId))?.state
    await next(peer, 'relay:state', () => relays.filter(it => stateOf(it) === 'held').length === 2)
    const standby = relays.find(it => stateOf(it) === 'standby')
    const held = relays.find(it => stateOf(it) === 'held')
    assert.ok(standby !== undefined && held !== undefined)
    const taken = granted(peer, standby.peerId)
    await held.stop()
    await taken
    assert.equal(peer.relays.filter(it => it.state === 'held').length, 2)
  })

  it('moves when the file of relays changes', LIMIT, async t => {
    const [one, two] = [await startRelay(t), await startRelay(t)]
    const directory = await mkdtemp(join(tmpdir(), 'throughnat-'))
    t.after(async () => rm(directory, { recursive: true }))
    const relayFile = join(directory, 'relays')
    await writeFile(relayFile, `${one.addrs[0]} # the old one\n`)
    const peer = await startPeer(t, { relayFile })
    await peer.reachable(within(10_000))
    const changes = Promise.all([
      next(peer, 'relays:changed'),
      next(peer, 'reservation:lost'),
      granted(peer, two.peerId),
    ])
    await writeFile(relayFile, `${two.addrs[0]}\n`)
    const [, lost] = await changes
    assert.deepEqual([lost.relay.toString(), lost.reason], [one.peerId.toString(), 'removed'])
    assert.deepEqual(
      peer.relays.map(it => it.relay.toString()),
      [two.peerId.toString()],
    )
  })

  it(
    'that a draining relay does not renew is lost as refused, and another relay takes over',
    LIMIT,
    async t => {
      const one = await startRelay(t, { reservationTtlMs: SHORT_TTL_MS })
      // it comes up when the place is taken
      const privateKey = await generateKeyPair('Ed25519')
      const listen = [`/ip4/127.0.0.1/tcp/${await freePort()}`]
      const two = peerIdFromPrivateKey(privateKey)
      const relays = [...one.addrs, `${listen[0]}/p2p/${two}`]
      const peer = await startPeer(t, { relays, reservations: 1 })
      await granted(peer, one.peerId)
      await startRelay(t, { listen, privateKey })
      const taken = granted(peer, two)
      const lost = next(peer, 'reservation:lost')
      const drained = one.drain(within(20_000)).catch(() => {})
      assert.equal((await lost).reason, 'refused')
      await taken
      await drained
    },
  )

  it('is lost as stopped when its peer stops', LIMIT, async t => {
    const relay = await startRelay(t)
    const peer = await startPeer(t, { relays: relay.addrs })
    await peer.reachable(within(10_000))
    const lost = next(peer, 'reservation:lost')
    await peer.stop()
    assert.equal((await lost).reason, 'stopped')
  })

  it('is not made by a peer that only dials', LIMIT, async t => {
    const relay = await startRelay(t)
    const listener = await startPeer(t, { relays: [...relay.addrs] })
    await listener.reachable(within(10_000))
    let grants = 0
    relay.addEventListener('reservation:granted', () => grants++)
    const dialer = await startPeer(t, { relays: [...relay.addrs], reserve: false })
    await dialer.connect(listener.peerId, within(10_000))
    assert.equal(grants, 0)
    await assert.rejects(dialer.reachable(within(200)), { name: 'TimeoutError' })
  })

  const strangers: ReadonlyArray<[string, (t: TestContext) => Promise<string>, RegExp]> = [
    [
      'speaks HTTP',
      async t => serve(t, socket => socket.end('HTTP/1.0 400 Bad Request\r\n\r\n')),
      /does not speak libp2p/,
    ],
    ['hangs up', async t => serve(t, socket => socket.end()), /^(?!.*undefined).+/],
    ['says nothing', async t => serve(t, () => {}), /^no answer in time$/],
    ['is no relay', async t => String(await plainPeer(t)), /^it is not a relay$/],
    [
      'is another relay',
      async t => String((await startRelay(t)).addrs[0]).replace(/\/p2p\/.*/, `/p2p/${SOMEBODY}`),
      /^another peer answers there; check the peer id in the address$/,
    ],
  ]
  for (const [what, start, reason] of strangers) {
    it(`fails at what ${what}, and is tried again`, LIMIT, async t => {
      const peer = await startPeer(t, { relays: [await start(t)] })
      const failed = await next(peer, 'reservation:failed')
      assert.match(failed.reason, reason)
      assert.ok(failed.retryInMs > 0)
      assert.equal(peer.addrs.filter(it => it.toString().includes('/p2p-circuit')).length, 0)
    })
  }

  it('fails with growing pauses', LIMIT, async t => {
    const peer = await startPeer(t, { relays: [`/ip4/127.0.0.1/tcp/${await freePort()}/p2p/${SOMEBODY}`] })
    for (const longestMs of [500, 1000, 2000]) {
      const { retryInMs } = await next(peer, 'reservation:failed')
      assert.ok(retryInMs >= longestMs / 2 && retryInMs <= longestMs, `${retryInMs} of ${longestMs} ms`)
    }
  })
})

/** The loopback address of a peer: it speaks libp2p and does not relay. */
async function plainPeer(t: TestContext): Promise<string> {
  const peer = await startPeer(t, {})
  const addr = peer.addrs.map(String).find(it => it.startsWith('/ip4/127.0.0.1/'))
  assert.ok(addr !== undefined)
  return addr
}

for (const relays of [['/ip4/127.0.0.1/tcp/1'], ['web'], [`/p2p-circuit/p2p/${SOMEBODY}`]]) {
  it(`a peer does not start with ${relays[0]} as its relay`, LIMIT, async () => {
    await assert.rejects(createPeer({ relays }), { name: 'InvalidTargetError' })
  })
}
