/** From relayed to direct while streams are open; what is aborted; and that nothing outlives a peer. */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { Circuit } from '@multiformats/multiaddr-matcher'
import { createPeer } from '../../peer/index.ts'
import { ping } from '../../src/protocols/ping.ts'
import { startRelay } from './circuit-stage.ts'
import { once } from '../waits.ts'
import type { Connection, Stream } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { PathDetail, Peer, PeerConnection, PeerInit } from '../../peer/index.ts'
import type { Relay } from '../../relay/index.ts'

const LIMIT = { timeout: 40_000 }
const HASH = '/test/hash/1'
const PIECE_BYTES = 64 * 1024

const within = (ms: number): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(ms) })

async function startPeer(t: TestContext, init: PeerInit): Promise<Peer> {
  const peer = await createPeer(init)
  t.after(() => peer.stop())
  return peer
}

/** Answers with the SHA-256 of what came in, once that has ended. */
async function answerHash(stream: Stream): Promise<void> {
  const hash = createHash('sha256')
  for await (const data of stream) hash.update(data.subarray())
  stream.send(hash.digest())
  await stream.close()
}

async function readAll(stream: Stream): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const data of stream) parts.push(Buffer.from(data.subarray()))
  return Buffer.concat(parts)
}

async function send(stream: Stream, data: Buffer): Promise<void> {
  for (let at = 0; at < data.byteLength; at += PIECE_BYTES) {
    if (stream.send(data.subarray(at, at + PIECE_BYTES))) continue
    await once(stream as never, 'drain', within(10_000))
  }
}

/** A listener and a dialer at one relay, just connected: relayed, and about to become direct. */
async function connect(
  t: TestContext,
): Promise<{ relay: Relay; listener: Peer; dialer: Peer; connection: PeerConnection }> {
  const relay = await startRelay(t)
  const listener = await startPeer(t, { relays: [...relay.addrs] })
  await listener.handle(HASH, answerHash)
  await listener.reachable(within(10_000))
  const dialer = await startPeer(t, { relays: [...relay.addrs], reserve: false })
  return { relay, listener, dialer, connection: await dialer.connect(listener.peerId, within(10_000)) }
}

describe('the upgrade to a direct path', { concurrency: true }, () => {
  it('leaves a stream on the circuit whole, and ends the circuit after it', LIMIT, async t => {
    const { dialer, listener, connection } = await connect(t)
    assert.equal(connection.path, 'relayed')
    const circuit = dialer.libp2p
      .getConnections(listener.peerId)
      .find(it => Circuit.exactMatch(it.remoteAddr))
    assert.ok(circuit !== undefined)
    const stream = await connection.newStream(HASH, within(10_000))
    assert.ok(circuit.streams.includes(stream), 'the stream is relayed')
    const [before, after] = [randomBytes(2 * 1024 * 1024), randomBytes(2 * 1024 * 1024)]
    await send(stream, before)
    await connection.direct(within(10_000))
    assert.equal(connection.path, 'direct')
    await send(stream, after)
    await stream.close(within(10_000))
    const answer = await readAll(stream)
    assert.equal(answer.toString('hex'), createHash('sha256').update(before).update(after).digest('hex'))

    const later = await connection.newStream(HASH, within(10_000))
    assert.equal(circuit.streams.includes(later), false, 'new streams are direct')
    later.abort(new Error('not needed'))
    if (circuit.status === 'open') await once(circuit as never, 'close', within(20_000))
    assert.equal(connection.path, 'direct')
  })

  it('resets no direct connection that the other side may have begun to use', LIMIT, async t => {
    const relay = await startRelay(t)
    const listener = await startPeer(t, { relays: [...relay.addrs] })
    await listener.handle(HASH, answerHash)
    await listener.reachable(within(10_000))
    const dialer = await startPeer(t, { relays: [...relay.addrs], reserve: false })
    const [before, after] = [randomBytes(100), randomBytes(100)]
    const opened: Array<{ direct: Connection; stream: Promise<Stream> }> = []
    dialer.libp2p.addEventListener('connection:open', ({ detail }) => {
      if (detail.remotePeer.equals(listener.peerId) && !Circuit.exactMatch(detail.remoteAddr))
        opened.push({ direct: detail, stream: detail.newStream(HASH, within(10_000)) })
    })
    const changes = [listener, dialer].map(async it => once(it as never, 'path:changed', within(20_000)))
    await dialer.connect(listener.peerId, within(10_000))
    await Promise.all(changes)
    const streams = await Promise.all(opened.map(async ({ stream }) => stream))
    // on one host it is a plain dial with one; the punches of the lab have several, and send data over the chosen one
    assert.ok(streams.length > 0)
    for (const stream of streams) await send(stream, before)
    // both sides have chosen, and each connection still carries a round trip: a reset would have come before its end
    for (const { direct } of opened) await ping(direct, within(10_000))
    const expected = createHash('sha256').update(before).update(after).digest('hex')
    for (const stream of streams) {
      await send(stream, after)
      await stream.close(within(10_000))
      assert.equal((await readAll(stream)).toString('hex'), expected)
    }
  })

  it('is told to both peers with the address of the path', LIMIT, async t => {
    const relay = await startRelay(t)
    const listener = await startPeer(t, { relays: [...relay.addrs] })
    await listener.reachable(within(10_000))
    const dialer = await startPeer(t, { relays: [...relay.addrs], reserve: false })
    const told = new Map<Peer, PathDetail[]>([
      [listener, []],
      [dialer, []],
    ])
    for (const [peer, details] of told)
      for (const name of ['peer:connected', 'path:changed'] as const)
        peer.addEventListener(name, ({ detail }) => details.push(detail))
    const changes = [listener, dialer].map(async it => once(it as never, 'path:changed', within(20_000)))
    const connection = await dialer.connect(listener.peerId, within(10_000))
    await Promise.all(changes)
    for (const details of told.values()) {
      assert.deepEqual(
        details.map(it => it.path),
        ['relayed', 'direct'],
      )
      assert.deepEqual(
        details.map(it => Circuit.matches(it.remoteAddr)),
        [true, false],
      )
    }
    assert.equal(connection.remoteAddr.toString(), told.get(dialer)?.at(-1)?.remoteAddr.toString())
  })

  it('is waited for once and again, and costs nothing when it has happened', LIMIT, async t => {
    const { connection } = await connect(t)
    await Promise.all([connection.direct(within(10_000)), connection.direct(within(10_000))])
    await connection.direct(within(100))
  })

  it('goes on when the wait for it is aborted', LIMIT, async t => {
    const { dialer, connection } = await connect(t)
    const changed = once(dialer as never, 'path:changed', within(20_000))
    const signal = AbortSignal.abort(new Error('not waiting'))
    await assert.rejects(connection.direct({ signal }))
    await changed
    assert.equal(connection.path, 'direct')
  })
})

describe('a connection', { concurrency: true }, () => {
  it('that is closed is told, and made again by the next stream', LIMIT, async t => {
    const { listener, dialer, connection } = await connect(t)
    const gone = once(dialer as never, 'peer:disconnected', within(10_000))
    await connection.close()
    const [event] = (await gone) as [CustomEvent<{ peerId: Peer['peerId'] }>]
    assert.equal(event.detail.peerId.toString(), listener.peerId.toString())
    assert.throws(() => connection.path, { name: 'UnreachableError' })
    const stream = await connection.newStream(HASH, within(10_000))
    await stream.close()
    assert.equal((await readAll(stream)).byteLength, 32)
  })

  it('to a protocol that the remote does not handle fails as such', LIMIT, async t => {
    const { connection } = await connect(t)
    await assert.rejects(connection.newStream('/nobody/1', within(10_000)), {
      name: 'UnsupportedProtocolError',
    })
  })

  it('is told by the relay as a circuit from the dialer to the listener', LIMIT, async t => {
    const relay = await startRelay(t)
    const opened = once(relay as never, 'circuit:opened', within(20_000))
    const listener = await startPeer(t, { relays: [...relay.addrs] })
    await listener.reachable(within(10_000))
    const dialer = await startPeer(t, { relays: [...relay.addrs], reserve: false })
    await dialer.connect(listener.peerId, within(10_000))
    const [{ detail }] = (await opened) as [CustomEvent<Record<'initiator' | 'responder', Peer['peerId']>>]
    assert.deepEqual(
      [detail.initiator, detail.responder].map(String),
      [dialer.peerId, listener.peerId].map(String),
    )
  })
})

describe('a signal that has fired', () => {
  const aborted = { signal: AbortSignal.abort(new Error('never mind')) }

  it('ends createPeer, which leaves nothing', LIMIT, async () => {
    await assert.rejects(createPeer({}, aborted), { message: 'never mind' })
  })

  it('ends connect and reachable', LIMIT, async t => {
    const relay = await startRelay(t)
    const [peer, other] = [await startPeer(t, {}), await startPeer(t, { relays: [...relay.addrs] })]
    await other.reachable(within(10_000))
    await assert.rejects(peer.reachable(aborted))
    await assert.rejects(peer.connect(other.addrs[0]!, aborted), { message: 'never mind' })
    assert.deepEqual(peer.libp2p.getConnections(other.peerId) as Connection[], [])
  })
})

describe('a process', () => {
  it('ends by itself once its peers and its relay are stopped', LIMIT, async () => {
    const script = `
      const { createPeer } = await import('${new URL('../../peer/index.ts', import.meta.url).href}')
      const { createRelay } = await import('${new URL('../../relay/index.ts', import.meta.url).href}')
      const relay = await createRelay({ listen: ['/ip4/127.0.0.1/tcp/0'] })
      const listener = await createPeer({ relays: relay.addrs })
      await listener.reachable()
      const dialer = await createPeer({ relays: relay.addrs, reserve: false })
      const connection = await dialer.connect(listener.peerId)
      await connection.direct()
      for (const it of [dialer, listener, relay]) {
        await it.stop()
        await it.stop()
      }
      console.log('stopped')`
    const args = ['--input-type=module', '--eval', script]
    // a process that does not end is killed, which is an error
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 })
    assert.equal(stdout, 'stopped\n')
  })
})
