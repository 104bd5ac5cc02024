/** The relay on loopback: what it reports about reservations and circuits, what it announces, and how it begins and ends. */

import assert from 'node:assert/strict'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { createRelay } from '../../relay/index.ts'
import { connectCircuit, startPlain, startRelay } from './circuit-stage.ts'
import { once } from '../waits.ts'
import type { Libp2p, Stream } from '@libp2p/interface'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { Relay, RelayEvents } from '../../relay/index.ts'

const LIMIT = { timeout: 30_000 }
const SINK = '/test/sink/1'

type Detail<Name extends keyof RelayEvents> = RelayEvents[Name]['detail']

/** The next event of this name. */
async function next<Name extends keyof RelayEvents>(relay: Relay, name: Name): Promise<Detail<Name>> {
  const signal = AbortSignal.timeout(10_000)
  const [event] = (await once(relay as never, name, { signal })) as [RelayEvents[Name]]
  return event.detail
}

async function newDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'throughnat-relay-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

describe('a reservation', () => {
  it('is told with the peer, where it comes from and when it expires', LIMIT, async t => {
    const relay = await startRelay(t, { reservationTtlMs: 600_000 })
    const granted = next(relay, 'reservation:granted')
    const askedAt = Date.now()
    const peer = await startPlain(t, relay)
    const { peerId, remoteAddr, expiresAt } = await granted
    assert.equal(peerId.toString(), peer.peerId.toString())
    assert.match(remoteAddr.toString(), /^\/ip4\/127\.0\.0\.1\/tcp\/\d+/)
    const ttlMs = expiresAt.getTime() - askedAt
    assert.ok(ttlMs >= 600_000 && ttlMs < 610_000, `${ttlMs} ms`)
  })

  it('that is one too many is refused and told', LIMIT, async t => {
    const relay = await startRelay(t, { maxReservations: 1 })
    await startPlain(t, relay)
    const refused = next(relay, 'reservation:refused')
    await assert.rejects(startPlain(t, relay), /could not be listened on|RESERVATION_REFUSED/i)
    assert.equal((await refused).reason, 'full')
  })

  it('makes room for another when its peer disconnects', LIMIT, async t => {
    const relay = await startRelay(t, { maxReservations: 1 })
    const first = await startPlain(t, relay)
    const ended = next(relay, 'reservation:ended')
    await first.stop()
    assert.deepEqual({ ...(await ended), peerId: '' }, { peerId: '', reason: 'disconnected' })
    const granted = next(relay, 'reservation:granted')
    const second = await startPlain(t, relay)
    assert.equal((await granted).peerId.toString(), second.peerId.toString())
  })
})

describe('a circuit', () => {
  it('is told with both peers when it opens, and with the bytes each way when it closes', LIMIT, async t => {
    const relay = await startRelay(t)
    const [initiator, responder] = [await startPlain(t, relay), await startPlain(t, relay)]
    const received = Promise.withResolvers<number>()
    const sink = async (stream: Stream): Promise<void> => {
      let bytes = 0
      for await (const data of stream) bytes += data.byteLength
      received.resolve(bytes)
      await stream.close()
    }
    await responder.handle(SINK, sink, { runOnLimitedConnection: true })
    const [opened, closed] = [next(relay, 'circuit:opened'), next(relay, 'circuit:closed')]
    const { circuit } = await connectCircuit(initiator, responder, relay)
    const peers = [initiator.peerId.toString(), responder.peerId.toString()]
    const { initiator: from, responder: to } = await opened
    assert.deepEqual([from.toString(), to.toString()], peers)

    const stream = await circuit.newStream(SINK, { runOnLimitedConnection: true })
    stream.send(Buffer.alloc(200_000))
    await stream.close()
    assert.equal(await received.promise, 200_000)
    await circuit.close()
    const detail = await closed
    assert.deepEqual([detail.initiator.toString(), detail.responder.toString()], peers)
    assert.equal(detail.reason, 'closed')
    // noise and yamux add some 2 %, and the handshake some hundred bytes
    assert.ok(
      detail.bytesToResponder > 200_000 && detail.bytesToResponder < 215_000,
      `${detail.bytesToResponder} bytes there`,
    )
    assert.ok(
      detail.bytesToInitiator > 100 && detail.bytesToInitiator < 15_000,
      `${detail.bytesToInitiator} bytes back`,
    )
    assert.ok(detail.durationMs > 0 && detail.durationMs < 20_000)
  })

  it('that a peer resets is told as reset', LIMIT, async t => {
    const relay = await startRelay(t)
    const [initiator, responder] = [await startPlain(t, relay), await startPlain(t, relay)]
    const closed = next(relay, 'circuit:closed')
    const { accepted } = await connectCircuit(initiator, responder, relay)
    accepted.abort(new Error('enough'))
    assert.equal((await closed).reason, 'reset')
  })

  it('ends when the responder goes away, and so does its reservation', LIMIT, async t => {
    const relay = await startRelay(t)
    const [initiator, responder] = [await startPlain(t, relay), await startPlain(t, relay)]
    const [closed, ended] = [next(relay, 'circuit:closed'), next(relay, 'reservation:ended')]
    const { circuit } = await connectCircuit(initiator, responder, relay)
    await responder.stop()
    assert.equal((await closed).responder.toString(), responder.peerId.toString())
    assert.equal((await ended).peerId.toString(), responder.peerId.toString())
    if (circuit.status === 'open')
      await once(circuit as never, 'close', { signal: AbortSignal.timeout(5_000) })
  })

  it('each way between two peers is told as its own', LIMIT, async t => {
    const relay = await startRelay(t)
    const [one, two] = [await startPlain(t, relay), await startPlain(t, relay)]
    const opened: string[] = []
    relay.addEventListener('circuit:opened', ({ detail }) => opened.push(detail.initiator.toString()))
    const closed = next(relay, 'circuit:closed')
    const { circuit } = await connectCircuit(one, two, relay)
    await circuit.close()
    assert.equal((await closed).initiator.toString(), one.peerId.toString())
    const again = next(relay, 'circuit:closed')
    const { circuit: back } = await connectCircuit(two, one, relay)
    await back.close()
    assert.equal((await again).initiator.toString(), two.peerId.toString())
    assert.deepEqual(opened, [one.peerId.toString(), two.peerId.toString()])
  })
})

describe('a peer that speaks TLS and no Noise', () => {
  it('reserves, and is reached by one that speaks Noise and no TLS', LIMIT, async t => {
    const relay = await startRelay(t)
    const responder = await startEncrypted(t, tls(), relay)
    const circuit = multiaddr(`${relay.addrs[0]}/p2p-circuit/p2p/${responder.peerId}`)
    const initiator = await startEncrypted(t, noise())
    // they have no encryption in common between themselves, which is none of the relay's business
    const opened = next(relay, 'circuit:opened')
    await assert.rejects(initiator.dial(circuit))
    assert.equal(String((await opened).responder), String(responder.peerId))
    const another = await startEncrypted(t, tls())
    const connection = await another.dial(circuit)
    assert.equal(connection.encryption, '/tls/1.0.0')
  })
})

async function startEncrypted(
  t: TestContext,
  encrypter: ReturnType<typeof tls | typeof noise>,
  relay?: Relay,
): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: relay === undefined ? [] : [`${relay.addrs[0]}/p2p-circuit`] },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [encrypter as ReturnType<typeof noise>],
    streamMuxers: [yamux()],
    services: { identify: identify() },
  })
  t.after(() => node.stop())
  return node
}

describe('the addresses of a relay', () => {
  it('are those it listens on, each with its peer id', LIMIT, async t => {
    const relay = await startRelay(t, { listen: ['/ip4/127.0.0.1/tcp/0', '/ip6/::1/tcp/0'] })
    const addrs = relay.addrs.map(String)
    assert.equal(addrs.length, 2)
    for (const addr of addrs)
      assert.match(addr, new RegExp(`^/ip[46]/[^/]+/tcp/[1-9]\\d*/p2p/${relay.peerId}$`))
  })

  it('are the announced ones where there are any', LIMIT, async t => {
    const announce = ['/ip4/11.22.33.44/tcp/4001', '/dns4/relay.example/tcp/4001']
    const relay = await startRelay(t, { announce })
    assert.deepEqual(
      relay.addrs.map(String).toSorted(),
      announce.map(it => `${it}/p2p/${relay.peerId}`).toSorted(),
    )
  })
})

describe('a relay begins', () => {
  it('with an identity that only its owner can read, and has it again', LIMIT, async t => {
    const dataDir = await newDirectory(t)
    const first = await startRelay(t, { dataDir })
    assert.equal((await stat(join(dataDir, 'identity.key'))).mode & 0o777, 0o600)
    await first.stop()
    const second = await startRelay(t, { dataDir })
    assert.equal(second.peerId.toString(), first.peerId.toString())
  })

  it('with an error that names the address where another program listens', LIMIT, async t => {
    const server = net.createServer().listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    const addr = `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`
    await assert.rejects(createRelay({ listen: [addr] }), (error: Error & { addrs: string[] }) => {
      assert.deepEqual([error.name, error.addrs], ['ListenError', [addr]])
      assert.ok(error.message.includes(addr))
      assert.match(error.message, /another program listens there/)
      return true
    })
  })

  it('with an error when this machine has no such address', LIMIT, async () => {
    await assert.rejects(createRelay({ listen: ['/ip4/11.22.33.44/tcp/0'] }), {
      name: 'ListenError',
      message: /no such address/,
    })
  })

  it('not at all when it is aborted', LIMIT, async () => {
    const signal = AbortSignal.abort(new Error('never mind'))
    await assert.rejects(createRelay({ listen: ['/ip4/127.0.0.1/tcp/0'] }, { signal }), {
      message: 'never mind',
    })
  })
})

describe('the connections of a relay', () => {
  it('are those that are open, of each peer', LIMIT, async t => {
    const relay = await startRelay(t)
    const [one, two] = [await startPlain(t, relay), await startPlain(t, relay)]
    const peers = (): string[] => relay.libp2p.getConnections().map(({ remotePeer }) => String(remotePeer))
    assert.deepEqual(peers().toSorted(), [one, two].map(({ peerId }) => String(peerId)).toSorted())
    assert.equal(relay.connections, 2)
    const ended = next(relay, 'reservation:ended')
    await one.stop()
    await ended
    assert.deepEqual(peers(), [String(two.peerId)])
  })
})

describe('a relay that is stopped', () => {
  it('frees its port and disconnects its peers, and can be stopped again', LIMIT, async t => {
    const relay = await startRelay(t)
    const listen = [String(relay.addrs[0]).replace(/\/p2p\/.*/, '')]
    const peer = await startPlain(t, relay)
    const gone = once(peer as never, 'connection:close', { signal: AbortSignal.timeout(10_000) })
    await Promise.all([relay.stop(), relay.stop()])
    await relay[Symbol.asyncDispose]()
    await gone
    await startRelay(t, { listen })
  })
})
