import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { NewStreams } from '../../../../../src/muxer/new-streams.ts'
import { FrameBudgets } from '../../../../../src/patches/libp2p-yamux/frame-budgets.ts'
import { handleInTurns } from '../../../../../src/patches/libp2p-yamux/frame-turns.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { header, muxerPair, openStream, withRemote } from './muxer-pair.ts'
import { amendConnection, amendMuxer } from './stand-ins.ts'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { Amendment } from '../../../../../src/patches/libp2p-yamux/amend.ts'
import type { Yamux } from '../../../../../src/patches/libp2p-yamux/internals.ts'

const KIB = 1024
const MAX = 4 * KIB * KIB
const [DATA, WINDOW_UPDATE, SYN] = [0, 1, 1]
const LIMIT = { timeout: 30_000 }

const inTurns: Amendment = (muxer, connection) =>
  handleInTurns({
    maxWindowBytes: MAX,
    budgets: new FrameBudgets(),
    newStreams: new NewStreams(),
    streamOf: id => muxer.streams.find(it => it.streamId === id),
  })(muxer, connection)

/** What the package buffers of a frame. */
const bufferOf = (muxer: Yamux): Uint8ArrayList =>
  (muxer as unknown as { decoder: { buffer: Uint8ArrayList } }).decoder.buffer

describe('@chainsafe/libp2p-yamux', LIMIT, () => {
  it('buffers a frame of any length, which is the fault', async () => {
    const { remote, connection, muxer } = withRemote([])
    remote.send(header({ type: DATA, flags: SYN, streamId: 1, length: 0xffffffff }))
    for (let sent = 0; sent < 32; sent++) remote.send(new Uint8Array(1024 * KIB))
    await until(() => bufferOf(muxer).byteLength > 32 * 1024 * KIB || connection.status !== 'open')
    assert.equal(connection.status, 'open')
  })

  it('takes a piece for each byte of a frame that comes byte by byte, which is the fault', async () => {
    const { remote, muxer } = withRemote([])
    sendByteByByte(remote)
    await until(() => bufferOf(muxer).byteLength === 12 + BYTES)
    assert.equal([...bufferOf(muxer)].length, BYTES + 1)
  })

  it('hands on each frame alone, which is the fault', async () => {
    assert.equal(await messagesOf([]), SMALL_FRAMES)
  })

  it('makes any number of streams in one turn of the event loop, which is the fault', async () => {
    assert.equal(await mostInOneTurn([]), NEW_STREAMS)
  })
})

describe('a frame that is longer than the window of its stream', LIMIT, () => {
  for (const [what, flags, streamId, length] of [
    ['a new stream', SYN, 1, 256 * KIB + 1],
    ['no stream', 0, 99, MAX + 1],
    ['no stream, of 4 GiB', 0, 99, 0xffffffff],
  ] as const)
    it(`ends the connection as soon as it begins, for ${what}`, async () => {
      const { remote, connection } = withRemote([inTurns])
      remote.send(header({ type: DATA, flags, streamId, length }))
      await until(() => connection.status === 'aborted')
    })

  it('ends the connection, for a stream whose window is used up in part', async () => {
    const ends = muxerPair([inTurns])
    const [stream, there] = await openStream(ends)
    there.pause()
    stream.send(new Uint8Array(200 * KIB))
    await until(() => there.readBuffer.byteLength === 200 * KIB)
    const { connection } = ends[1]
    assert.equal(connection.status, 'open')
    ends[0].connection.send(header({ type: DATA, flags: 0, streamId: there.streamId, length: 57 * KIB }))
    await until(() => connection.status === 'aborted')
  })

  it('is not one that fits, though it comes piece by piece', async () => {
    const { remote, connection, muxer } = withRemote([inTurns])
    const bytes = 256 * KIB
    const frame = Buffer.concat([
      header({ type: DATA, flags: SYN, streamId: 1, length: bytes }),
      Buffer.alloc(bytes),
    ])
    for (let at = 0; at < frame.length; at += 5_000) remote.send(frame.subarray(at, at + 5_000))
    await until(() => muxer.streams[0]?.readBuffer.byteLength === bytes)
    assert.equal(connection.status, 'open')
  })
})

describe('the frames of a connection', LIMIT, () => {
  it('arrive whole, though they come byte by byte', async () => {
    const { remote, muxer } = withRemote([inTurns])
    sendByteByByte(remote)
    remote.send(Uint8Array.of(BYTES))
    await until(() => muxer.streams[0]?.readBuffer.byteLength === BYTES + 1)
    const expected = Array.from({ length: BYTES + 1 }, (_, n) => n & 0xff)
    assert.deepEqual([...muxer.streams[0]!.readBuffer.subarray()], expected)
  })

  it('are joined where they are small, in order', async () => {
    assert.ok((await messagesOf([inTurns])) < SMALL_FRAMES / 100)
  })

  it('make some streams in one turn of the event loop, and all of them in the end', async () => {
    // 32 when they come, and 32 at the end of that turn
    assert.ok((await mostInOneTurn([inTurns])) <= 64)
  })

  it('hold up the connection while they wait, and not longer', async () => {
    const { remote, muxer, connection } = withRemote([inTurns])
    muxer.addEventListener('stream', () => {})
    remote.send(newStreams())
    await until(() => muxer.streams.length > 0)
    assert.equal((connection as { readStatus?: string }).readStatus, 'paused')
    await until(() => muxer.streams.length === NEW_STREAMS)
    await until(() => (connection as { readStatus?: string }).readStatus === 'readable')
  })

  it('of another version end it', async () => {
    const { remote, connection } = withRemote([inTurns])
    remote.send(Uint8Array.of(1, ...new Uint8Array(11)))
    await until(() => connection.status === 'aborted')
  })
})

describe('handleInTurns()', () => {
  const members = {
    status: 'open',
    onData: () => {},
    handleFrame: () => {},
    handleStreamMessage: () => {},
    onRemoteStream: () => {},
  }
  refusesWithout('@chainsafe/libp2p-yamux', members, muxer => amendMuxer(inTurns, muxer))
  const reading = { readStatus: 'readable', pause: () => {}, resume: () => {} }
  refusesWithout('@libp2p/utils', reading, connection => amendConnection(inTurns, connection))
})

const BYTES = 5_000

/** All but the last byte of a frame. */
function sendByteByByte(remote: { send(bytes: Uint8Array): boolean }): void {
  remote.send(header({ type: DATA, flags: SYN, streamId: 1, length: BYTES + 1 }))
  for (let n = 0; n < BYTES; n++) remote.send(Uint8Array.of(n))
}

const SMALL_FRAMES = 2_000

/** In how many messages the data of many small frames arrives. */
async function messagesOf(amendments: readonly Amendment[]): Promise<number> {
  const { remote, muxer } = withRemote(amendments)
  const received: number[] = []
  let messages = 0
  muxer.addEventListener('stream', ({ detail }) =>
    detail.addEventListener('message', ({ data }) => {
      messages++
      received.push(...data.subarray())
    }),
  )
  const frames = Array.from({ length: SMALL_FRAMES }, (_, n) => [
    header({ type: DATA, flags: n === 0 ? SYN : 0, streamId: 1, length: 1 }),
    Uint8Array.of(n),
  ])
  remote.send(Buffer.concat(frames.flat()))
  await until(() => received.length === SMALL_FRAMES)
  assert.deepEqual(
    received,
    Array.from({ length: SMALL_FRAMES }, (_, n) => n & 0xff),
  )
  return messages
}

const NEW_STREAMS = 500

function newStreams(): Buffer {
  return Buffer.concat(
    Array.from({ length: NEW_STREAMS }, (_, n) =>
      header({ type: WINDOW_UPDATE, flags: SYN, streamId: 2 * n + 1, length: 0 }),
    ),
  )
}

/** How many streams begin in one turn of the event loop at most, when many come together. */
async function mostInOneTurn(amendments: readonly Amendment[]): Promise<number> {
  const { remote, muxer } = withRemote(amendments)
  muxer.addEventListener('stream', () => {})
  remote.send(newStreams())
  let most = 0
  for (let before = 0; before < NEW_STREAMS; ) {
    await turn()
    most = Math.max(most, muxer.streams.length - before)
    before = muxer.streams.length
  }
  return most
}
