import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  earnFrames,
  FRAME_BUDGETS,
  FrameBudgets,
  FRAMES_OF_STREAM,
} from '../../../../../src/patches/libp2p-yamux/frame-budgets.ts'
import { NewStreams } from '../../../../../src/muxer/new-streams.ts'
import { handleInTurns } from '../../../../../src/patches/libp2p-yamux/frame-turns.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { header, muxerPair, openStream, withRemote } from './muxer-pair.ts'
import { amendMuxer } from './stand-ins.ts'
import type { StreamCloseEvent } from '@libp2p/interface'
import type { Amendment } from '../../../../../src/patches/libp2p-yamux/amend.ts'
import type { BudgetName } from '../../../../../src/patches/libp2p-yamux/frame-budgets.ts'

const LIMIT = { timeout: 30_000 }
const [DATA, WINDOW_UPDATE, PING] = [0, 1, 2]
const [SYN, ACK, FIN, RST] = [1, 2, 4, 8]
const MANY = 20_000

/** More than the idle frames that are allowed without. */
const DATA_FRAMES = 6_000

/** What the answers to a test's frames would add is not of interest: the stand-in has no streams. */
const bounded: Amendment = (muxer, connection) => {
  const budgets = new FrameBudgets()
  earnFrames(budgets)(muxer, connection)
  const streamOf = (id: number): never => muxer.streams.find(it => it.streamId === id) as never
  handleInTurns({ maxWindowBytes: 4 * 1024 * 1024, budgets, newStreams: new NewStreams(), streamOf })(
    muxer,
    connection,
  )
}

describe('@chainsafe/libp2p-yamux', LIMIT, () => {
  it('answers any number of pings, which is the fault', async () => {
    const { remote, connection } = withRemote([])
    let received = 0
    remote.addEventListener('message', ({ data }) => (received += data.byteLength))
    remote.send(framesOf(MANY, { type: PING, flags: SYN, streamId: 0, length: 1 }))
    await until(() => received === MANY * 12)
    assert.equal(connection.status, 'open')
  })
})

describe('more frames than a budget has', LIMIT, () => {
  const floods: ReadonlyArray<[string, BudgetName, Parameters<typeof header>[0]]> = [
    ['pings', 'ping', { type: PING, flags: SYN, streamId: 0, length: 1 }],
    ['window updates', 'idle', { type: WINDOW_UPDATE, flags: 0, streamId: 9, length: 1 }],
    ['resets', 'idle', { type: WINDOW_UPDATE, flags: RST, streamId: 9, length: 0 }],
    ['ends', 'idle', { type: WINDOW_UPDATE, flags: FIN, streamId: 9, length: 0 }],
    ['acknowledgements', 'idle', { type: WINDOW_UPDATE, flags: ACK, streamId: 9, length: 0 }],
    ['data of no bytes', 'idle', { type: DATA, flags: 0, streamId: 9, length: 0 }],
    ['ends with data of no bytes', 'idle', { type: DATA, flags: FIN, streamId: 9, length: 0 }],
  ]
  for (const [what, budget, frame] of floods) {
    it(`end the connection: ${what}`, async () => {
      const { remote, connection } = withRemote([bounded])
      const ended = Promise.withResolvers<Error | undefined>()
      connection.addEventListener('close', ({ error }: StreamCloseEvent) => ended.resolve(error))
      remote.send(framesOf(MANY, frame))
      const error = (await ended.promise) as (Error & { budget: string }) | undefined
      assert.deepEqual([error?.name, error?.budget], ['FrameFloodError', budget])
    })

    it(`are not as many as it has: ${what}`, async () => {
      const { remote, connection, muxer } = withRemote([bounded])
      remote.send(framesOf(FRAME_BUDGETS[budget].capacity, frame))
      remote.send(
        Buffer.concat([header({ type: DATA, flags: SYN, streamId: 1, length: 1 }), Buffer.alloc(1)]),
      )
      await until(() => muxer.streams[0]?.readBuffer.byteLength === 1)
      assert.equal(connection.status, 'open')
    })
  }
})

describe('idle frames', LIMIT, () => {
  it('are allowed for each frame of data that was sent, which js-libp2p answers by a window update', async () => {
    const ends = muxerPair([bounded])
    const [stream] = await openStream(ends)
    const [{ connection, muxer }, there] = ends
    let sent = 0
    const send = muxer.send.bind(muxer)
    muxer.send = frame => {
      if (frame.subarray(1, 2)[0] === DATA) sent++
      return send(frame)
    }
    for (let n = 0; n < DATA_FRAMES; n++) {
      stream.send(Uint8Array.of(n))
      await until(() => !stream.writableNeedsDrain)
    }
    assert.ok(sent > FRAME_BUDGETS.idle.capacity, `${sent}`)
    // the package itself answers each of them
    there.connection.send(header({ type: DATA, flags: SYN, streamId: 2, length: 0 }))
    await until(() => muxer.streams.length === 2 || connection.status !== 'open')
    assert.equal(connection.status, 'open')
  })

  it(`are allowed for each stream, ${FRAMES_OF_STREAM} of them`, () => {
    const budgets = new FrameBudgets()
    const amended = { send: () => true, _newStream: () => {} } as never
    amendMuxer(earnFrames(budgets), amended)
    ;(amended as { _newStream(): void })._newStream()
    const { capacity } = FRAME_BUDGETS.idle
    for (let n = 0; n < capacity + FRAMES_OF_STREAM; n++) budgets.charge('idle')
    assert.throws(
      () => {
        // the bucket refills meanwhile
        for (let n = 0; n < capacity; n++) budgets.charge('idle')
      },
      { name: 'FrameFloodError', budget: 'idle' },
    )
  })
})

describe('earnFrames()', () => {
  const members = { send: () => true, _newStream: () => {} }
  refusesWithout('@chainsafe/libp2p-yamux', members, muxer =>
    amendMuxer(earnFrames(new FrameBudgets()), muxer),
  )
})

function framesOf(count: number, init: Parameters<typeof header>[0]): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => header(init)))
}
