/**
 * Strangers who open stream after stream: how many a relay and a peer take in a second, and that those who are trusted, and
 * those whose streams lead to something, do not wait.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { NEW_STREAMS, NewStreams, SHARED_STREAMS } from '../../src/muxer/new-streams.ts'
import { TUNNEL_PROTOCOL } from '../../peer/tunnel/wire/protocol.ts'
import { createPeer } from '../../peer/index.ts'
import { startRelay } from './circuit-stage.ts'
import { ask, connectTo, HOP, openHop, RESERVE, startClient } from './hop-client.ts'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { RelayInit } from '../../relay/index.ts'

const LIMIT = { timeout: 60_000 }

/** For how long a stranger opens streams, in milliseconds, and how many at the same time. */
const ATTACK_MS = 4_000
const SIDE_BY_SIDE = 200

/** Without bounds it is some 1,000 a second. */
const MOST =
  NEW_STREAMS.capacity +
  (ATTACK_MS / 1_000) * (NEW_STREAMS.perSecond + (1_000 * SHARED_STREAMS.perTurn) / SHARED_STREAMS.turnMs)

const PING = '/ipfs/ping/1.0.0'
const ECHO = '/test/echo/1'

/** Opens streams all the time. Resolves with how many got a protocol. */
async function flood(
  connection: Connection,
  protocol: string,
  send: (stream: Stream) => void,
): Promise<number> {
  const over = AbortSignal.timeout(ATTACK_MS)
  let taken = 0
  const open = async (): Promise<void> => {
    while (!over.aborted && connection.status === 'open') {
      try {
        const stream = await connection.newStream(protocol, { maxOutboundStreams: Infinity, signal: over })
        taken++
        send(stream)
        await ended(stream, over)
      } catch {
        // refused, or over
      }
    }
  }
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, open))
  return taken
}

/** Resolves when a stream has ended, or had an answer, or the attack is over. */
async function ended(stream: Stream, over: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  for (const name of ['close', 'message', 'remoteCloseWrite'] as const)
    stream.addEventListener(name, () => resolve(), { once: true })
  over.addEventListener('abort', () => resolve(), { once: true })
  if (stream.status === 'open') await promise
  stream.abort(new Error('done'))
}

async function connect(t: TestContext, addr: unknown): Promise<{ node: Libp2p; connection: Connection }> {
  const node = await startClient(t)
  return { node, connection: await node.dial(multiaddr(String(addr))) }
}

async function toRelay(t: TestContext, init: RelayInit = {}): ReturnType<typeof connect> {
  const relay = await startRelay(t, init)
  return connect(t, relay.addrs[0])
}

async function toPeer(t: TestContext): ReturnType<typeof connect> {
  const peer = await createPeer({ portMapping: false })
  t.after(() => peer.stop())
  return connect(
    t,
    peer.libp2p.getMultiaddrs().find(it => it.toString().includes('127.0.0.1')),
  )
}

describe('a relay takes few streams of a stranger', LIMIT, () => {
  it('that are refused a circuit', async t => {
    const { node, connection } = await toRelay(t)
    const taken = await flood(connection, HOP, stream => stream.send(connectTo(node.peerId)))
    assert.ok(taken < MOST / 2, `${taken}`)
  })

  it('that are refused a reservation', async t => {
    const { connection } = await toRelay(t, { reservationsPerSecondPerIp: 1 })
    const taken = await flood(connection, HOP, stream => stream.send(RESERVE))
    assert.ok(taken < MOST / 2, `${taken}`)
  })

  it('that carry no request', async t => {
    const { connection } = await toRelay(t)
    const taken = await flood(connection, HOP, () => {})
    assert.ok(taken < MOST, `${taken}`)
  })

  it('that carry no message', async t => {
    const { connection } = await toRelay(t)
    const taken = await flood(connection, HOP, stream => stream.send(Uint8Array.of(1, 99)))
    assert.ok(taken < MOST / 2, `${taken}`)
  })

  it('beyond the number that one connection may have open', async t => {
    const { connection } = await toRelay(t, { maxCircuitsPerPeer: 1 })
    const silent = Array.from({ length: 33 }, () => openHop(connection))
    await Promise.all(silent)
    const taken = await flood(connection, HOP, () => {})
    assert.ok(taken < MOST / 2, `${taken}`)
  })

  it('of upkeep', async t => {
    const { connection } = await toRelay(t)
    const taken = await flood(connection, PING, stream => stream.send(new Uint8Array(32)))
    assert.ok(taken < MOST, `${taken}`)
  })
})

describe('a peer takes few streams of a stranger', LIMIT, () => {
  it('that ask for a service and say nothing', async t => {
    const { connection } = await toPeer(t)
    const taken = await flood(connection, TUNNEL_PROTOCOL, () => {})
    assert.ok(taken < MOST, `${taken}`)
  })

  it('that ask for a service without a right to it', async t => {
    const { connection } = await toPeer(t)
    const request = Buffer.from(JSON.stringify({ service: 'web', session: 'AAAAAAAAAAAAAAAAAAAAAA' }))
    const bytes = Buffer.concat([Buffer.of(request.length), request])
    const taken = await flood(connection, TUNNEL_PROTOCOL, stream => stream.send(bytes))
    assert.ok(taken < MOST, `${taken}`)
  })
})

describe('streams are not held up', LIMIT, () => {
  it('of a stranger whose requests a relay grants', async t => {
    const relay = await startRelay(t)
    const { connection } = await connect(t, relay.addrs[0])
    const waits = t.mock.method(NewStreams.prototype, 'wait').mock
    await inTurn(async () => ask(connection, RESERVE))
    assert.equal(waits.callCount(), 0)
  })

  it('of a peer that the admission of a relay names, whose requests are refused', async t => {
    const admission = { mayReserve: () => undefined, mayConnect: () => undefined, isNamed: () => true }
    const relay = await startRelay(t, { admission })
    const { node, connection } = await connect(t, relay.addrs[0])
    const waits = t.mock.method(NewStreams.prototype, 'wait').mock
    const over = AbortSignal.timeout(LIMIT.timeout)
    await inTurn(async () => {
      const stream = await openHop(connection)
      stream.send(connectTo(node.peerId))
      await ended(stream, over)
    })
    assert.equal(waits.callCount(), 0)
  })

  it('of an application, that end in order', async t => {
    const relay = await startRelay(t)
    await relay.libp2p.handle(ECHO, async stream => stream.close())
    const { connection } = await connect(t, relay.addrs[0])
    const waits = t.mock.method(NewStreams.prototype, 'wait').mock
    await inTurn(async () => (await connection.newStream(ECHO)).close())
    assert.equal(waits.callCount(), 0)
  })
})

/** Does something many times, a few of them at once. */
async function inTurn(act: () => Promise<unknown>): Promise<void> {
  let left = 5 * NEW_STREAMS.capacity
  const one = async (): Promise<void> => {
    while (left-- > 0) await act()
  }
  await Promise.all(Array.from({ length: 8 }, one))
}
