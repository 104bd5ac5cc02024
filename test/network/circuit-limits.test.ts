/**
 * What a circuit may carry, for how long and how fast, and how it ends; with nothing on it but the bytes of a test.
 */

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { startRelay } from './circuit-stage.ts'
import {
  connectTo,
  nextEvent,
  openCircuit,
  RESERVE,
  startMember,
  startVisitor,
  statusOf,
  streamEnd,
} from './hop-client.ts'
import { once, until } from '../waits.ts'
import type { Stream, StreamMessageEvent } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { Relay, RelayInit } from '../../relay/index.ts'
import type { Member, RawCircuit } from './hop-client.ts'

const LIMIT = { timeout: 50_000 }
const CHUNK = 64 * 1024

/** What has come in on a stream. */
class Inbox {
  bytes = 0
  readonly hash = createHash('sha256')
  readonly #stream: Stream
  isEnded = false

  constructor(stream: Stream) {
    this.#stream = stream
    stream.addEventListener('message', ({ data }: StreamMessageEvent) => {
      this.bytes += data.byteLength
      this.hash.update(data.subarray())
    })
    stream.addEventListener('remoteCloseWrite', () => (this.isEnded = true))
  }

  /** Resolves when this many bytes have come. */
  async has(bytes: number): Promise<void> {
    await until(() => this.bytes >= bytes, `${bytes} bytes have come`, 40_000)
    assert.equal(this.bytes, bytes)
  }

  /** Resolves when the other side has said that there is no more. */
  async end(): Promise<void> {
    await until(() => this.isEnded, 'the end has come')
    assert.equal(this.#stream.remoteWriteStatus, 'closed')
  }
}

/** Sends as fast as the stream takes it; stops when `signal` fires. */
async function pour(stream: Stream, data: Uint8Array, signal?: AbortSignal): Promise<void> {
  for (let at = 0; at < data.byteLength; at += CHUNK) {
    if (!stream.send(data.subarray(at, at + CHUNK)))
      await once(stream as never, 'drain', signal ? { signal } : {})
  }
}

interface Stage extends RawCircuit {
  relay: Relay
  from: Member
  to: Member
}

/** A relay with one circuit. */
async function startCircuit(t: TestContext, init: RelayInit): Promise<Stage> {
  const relay = await startRelay(t, init)
  const [from, to] = [await startMember(t, relay), await startMember(t, relay)]
  return { relay, from, to, ...(await openCircuit(from, to)) }
}

describe('data of a circuit', () => {
  it('pass up to the limit each way, and one byte more resets both sides', LIMIT, async t => {
    const { relay, initiator, responder } = await startCircuit(t, { circuitBytes: 100_000 })
    const [there, back] = [new Inbox(responder), new Inbox(initiator)]
    initiator.send(Buffer.alloc(60_000))
    initiator.send(Buffer.alloc(40_000))
    await there.has(100_000)
    responder.send(Buffer.alloc(99_999))
    await back.has(99_999)
    responder.send(Buffer.alloc(1))
    await back.has(100_000)
    assert.deepEqual([initiator.status, responder.status, relay.circuits], ['open', 'open', 1])
    const closed = nextEvent(relay, 'circuit:closed')
    responder.send(Buffer.alloc(1))
    const { reason, bytesToResponder, bytesToInitiator } = await closed
    assert.deepEqual([reason, bytesToResponder, bytesToInitiator], ['data-limit', 100_000, 100_000])
    assert.deepEqual(await Promise.all([streamEnd(initiator), streamEnd(responder)]), ['reset', 'reset'])
    assert.deepEqual([back.bytes, relay.circuits], [100_000, 0])
  })

  it('of one direction do not count for the other', LIMIT, async t => {
    const { relay, initiator, responder } = await startCircuit(t, { circuitBytes: 1000 })
    const [there, back] = [new Inbox(responder), new Inbox(initiator)]
    initiator.send(Buffer.alloc(1000))
    await there.has(1000)
    for (let n = 1; n <= 10; n++) {
      responder.send(Buffer.alloc(100))
      await back.has(n * 100)
    }
    await Promise.all([initiator.close(), responder.close()])
    await until(() => relay.circuits === 0, 'the circuit has ended')
    assert.deepEqual(relay.bytesTransferred, { toResponder: 1000, toInitiator: 1000 })
  })

  it('of one circuit do not count for another of the same peers', LIMIT, async t => {
    const { from, to, initiator, responder } = await startCircuit(t, { circuitBytes: 1000 })
    initiator.send(Buffer.alloc(1000))
    await new Inbox(responder).has(1000)
    const second = await openCircuit(from, to)
    second.initiator.send(Buffer.alloc(1000))
    await new Inbox(second.responder).has(1000)
    assert.equal(initiator.status, 'open')
  })
})

describe('a circuit', () => {
  it('that has lasted its time is reset on both sides, and told so', LIMIT, async t => {
    const relay = await startRelay(t, { circuitDurationMs: 300 })
    const [from, to] = [await startMember(t, relay), await startMember(t, relay)]
    const closed = nextEvent(relay, 'circuit:closed')
    const { initiator, responder } = await openCircuit(from, to)
    const { reason, durationMs } = await closed
    assert.equal(reason, 'duration-limit')
    // a timer may be a millisecond early
    assert.ok(durationMs >= 299, `${durationMs} ms`)
    assert.deepEqual(await Promise.all([streamEnd(initiator), streamEnd(responder)]), ['reset', 'reset'])
    assert.equal(relay.circuits, 0)
  })

  it('that may last longer than a timer of Node does so', LIMIT, async t => {
    const { relay, initiator, responder } = await startCircuit(t, { circuitDurationMs: 2 ** 31 + 5000 })
    const there = new Inbox(responder)
    for (let n = 1; n <= 20; n++) {
      initiator.send(Buffer.alloc(1))
      await there.has(n)
    }
    assert.equal(relay.circuits, 1)
  })

  for (const first of ['initiator', 'responder'] as const)
    it(`carries data to the ${first} after that has sent its last`, LIMIT, async t => {
      const stage = await startCircuit(t, {})
      const [one, other] = [stage[first], stage[first === 'initiator' ? 'responder' : 'initiator']]
      const [atOne, atOther] = [new Inbox(one), new Inbox(other)]
      const closed = nextEvent(stage.relay, 'circuit:closed')
      one.send(Buffer.from('the last'))
      await one.close()
      await atOther.end()
      assert.equal(atOther.bytes, 8)
      const data = randomBytes(1_000_000)
      await pour(other, data)
      await atOne.has(data.byteLength)
      assert.equal(atOne.hash.digest('hex'), createHash('sha256').update(data).digest('hex'))
      await other.close()
      await atOne.end()
      assert.equal((await closed).reason, 'closed')
      assert.deepEqual(await Promise.all([streamEnd(one), streamEnd(other)]), ['closed', 'closed'])
    })

  for (const end of ['initiator', 'responder'] as const)
    it(`that its ${end} resets is reset on the other side`, LIMIT, async t => {
      const stage = await startCircuit(t, {})
      const closed = nextEvent(stage.relay, 'circuit:closed')
      stage[end].abort(new Error('enough'))
      assert.equal(await streamEnd(stage[end === 'initiator' ? 'responder' : 'initiator']), 'reset')
      assert.equal((await closed).reason, 'reset')
      assert.equal(stage.relay.circuits, 0)
    })

  it('is reset on both sides when the relay stops, and told so', LIMIT, async t => {
    const { relay, initiator, responder } = await startCircuit(t, {})
    const closed = nextEvent(relay, 'circuit:closed')
    await relay.stop()
    assert.equal((await closed).reason, 'stopped')
    // the end of the connection alone would pass for the end of what is sent
    assert.deepEqual(await Promise.all([streamEnd(initiator), streamEnd(responder)]), ['reset', 'reset'])
    assert.equal(relay.circuits, 0)
  })
})

describe('a reader that does not read', () => {
  for (const [sender, reader] of [
    ['initiator', 'responder'],
    ['responder', 'initiator'],
  ] as const)
    it(`as ${reader} holds the ${sender} back, within bounds, and loses nothing`, LIMIT, async t => {
      const stage = await startCircuit(t, {})
      const other = await openCircuit(stage.from, stage.to)
      const echoed = new Inbox(other.responder)
      const size = 48 * 1024 * 1024
      const data = Buffer.alloc(size, 'abcdefghijk')
      stage[reader].pause()
      const before = memory()
      const poured = pour(stage[sender], data)
      await until(() => stage[sender].writableNeedsDrain, 'the sender is held back')
      const carried = (): number => {
        const { toResponder, toInitiator } = stage.relay.bytesTransferred
        return Math.max(toResponder - echoed.bytes, toInitiator)
      }
      // another circuit of the same connections goes on, and meanwhile the first one comes to rest
      let seen = -1
      for (let n = 1; carried() !== seen || n < 50; n++) {
        seen = carried()
        other.initiator.send(Buffer.alloc(1))
        await echoed.has(n)
      }
      assert.ok(stage[sender].writableNeedsDrain)
      assert.ok(seen < 16 * 1024 * 1024, `${seen} bytes carried`)
      await until(() => memory() - before < 32 * 1024 * 1024, 'less than 32 MiB are held')

      const inbox = new Inbox(stage[reader])
      stage[reader].resume()
      await poured
      await inbox.has(size)
      assert.equal(inbox.hash.digest('hex'), createHash('sha256').update(data).digest('hex'))
    })
})

describe('a rate', { concurrency: true }, () => {
  const data = randomBytes(12_000_000)
  const digest = createHash('sha256').update(data).digest('hex')

  for (const [what, limits] of [
    ['of the circuit', { circuitBytesPerSecond: 3_000_000 }],
    ['of a peer', { peerBytesPerSecond: 3_000_000 }],
    ['of the relay', { totalBytesPerSecond: 3_000_000 }],
  ] as const)
    it(`${what} slows the sender down and cuts nothing`, LIMIT, async t => {
      const { relay, initiator, responder } = await startCircuit(t, limits)
      const inbox = new Inbox(responder)
      const startedAt = performance.now()
      await pour(initiator, data)
      await initiator.close()
      await inbox.end()
      const ms = performance.now() - startedAt
      await inbox.has(data.byteLength)
      assert.equal(inbox.hash.digest('hex'), digest)
      // 12 MB at 3 MB/s, of which the first second's worth is in the bucket, and the last 64 KiB are not waited for
      assert.ok(ms >= 2900, `${ms} ms`)
      assert.equal(relay.circuits, 1)
    })

  it('of a circuit does not slow another', LIMIT, async t => {
    const { relay, from, to, initiator, responder } = await startCircuit(t, { circuitBytesPerSecond: 50_000 })
    const slow = new Inbox(responder)
    const given = new AbortController()
    const poured = pour(initiator, data, given.signal).catch(() => {})
    await until(() => slow.bytes > 0, 'the first has begun')
    const { initiator: second, responder: end } = await openCircuit(from, to)
    const fast = new Inbox(end)
    await pour(second, data.subarray(0, 50_000))
    await fast.has(50_000)
    // beyond what fits into the windows, 12 MB take the first minutes
    assert.ok(slow.bytes < data.byteLength, 'the first is not through yet')
    assert.equal(relay.circuits, 2)
    given.abort()
    initiator.abort(new Error('enough'))
    await poured
  })
})

describe('a relay that drains', () => {
  it('refuses what is new, lets circuits go on and is done when the last has ended', LIMIT, async t => {
    const { relay, from, to, initiator, responder } = await startCircuit(t, {})
    const second = await openCircuit(to, from)
    let isDone = false
    const drained = relay.drain().then(() => (isDone = true))
    assert.ok(relay.isDraining)
    assert.equal(await statusOf(from.connection, connectTo(to.node.peerId)), 201)
    assert.equal(await statusOf((await startVisitor(t, relay)).connection, RESERVE), 200)
    initiator.send(Buffer.alloc(1000))
    await new Inbox(responder).has(1000)
    second.initiator.abort(new Error('enough'))
    await until(() => relay.circuits === 1, 'one circuit is left')
    assert.equal(isDone, false)
    await Promise.all([initiator.close(), responder.close()])
    await drained
    assert.deepEqual([relay.circuits, relay.reservations.size], [0, 2])
  })

  it('waits no longer than it is told to', LIMIT, async t => {
    const { relay, initiator } = await startCircuit(t, {})
    await assert.rejects(relay.drain({ signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' })
    assert.deepEqual([relay.isDraining, relay.circuits, initiator.status], [true, 1, 'open'])
  })
})

/** Bytes that are held, after a collection. */
function memory(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
