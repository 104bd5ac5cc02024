import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { FRAME_BUDGETS, FrameBudgets } from '../../../../../src/patches/libp2p-yamux/frame-budgets.ts'
import { IncomingStreams } from '../../../../../src/patches/libp2p-yamux/incoming-streams.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { header, withRemote } from './muxer-pair.ts'
import { amendMuxer, amendStream } from './stand-ins.ts'
import type { Amendment } from '../../../../../src/patches/libp2p-yamux/amend.ts'
import type { End } from './muxer-pair.ts'

const LIMIT = { timeout: 30_000 }
const [DATA, WINDOW_UPDATE] = [0, 1]
const [SYN, FIN, RST] = [1, 4, 8]

/** The package's own limit of streams that the remote may open. */
const MAX_STREAMS = 1_000

/** Silent streams that are made. */
const FEW = 8

const nextTurn = promisify(setImmediate)

const incoming: Amendment = (muxer, connection) => {
  new IncomingStreams(new FrameBudgets()).amend(muxer, connection)
  // beyond the first ten the package keeps no stream that nobody listens for
  muxer.addEventListener?.('stream', () => {})
}

const update = (streamId: number, flags: number, length = 0): Uint8Array =>
  header({ type: WINDOW_UPDATE, flags, streamId, length })

const data = (streamId: number, text: string): Uint8Array =>
  Buffer.concat([header({ type: DATA, flags: 0, streamId, length: text.length }), Buffer.from(text)])

/** Sends frames, and resolves when they have been handled. */
async function handle(
  { remote, connection, muxer }: ReturnType<typeof withRemote>,
  frames: Uint8Array[],
): Promise<End> {
  const last = Promise.withResolvers<void>()
  const onData = muxer.onData.bind(muxer)
  let left = frames.reduce((sum, { byteLength }) => sum + byteLength, 0)
  muxer.onData = bytes => {
    onData(bytes)
    left -= bytes.byteLength
    if (left === 0) last.resolve()
  }
  connection.addEventListener('close', () => last.resolve())
  remote.send(Buffer.concat(frames))
  await last.promise
  return { connection, muxer }
}

describe('@chainsafe/libp2p-yamux', LIMIT, () => {
  it('makes a stream that brings no data, which is the fault', async () => {
    const { muxer } = await handle(withRemote([]), [update(1, SYN)])
    assert.equal(muxer.streams.length, 1)
  })

  it('lets a window grow beyond what a header can announce, which is the fault', async () => {
    const { muxer, connection } = await handle(withRemote([]), [update(1, SYN), update(1, 0, 0xffff_ffff)])
    assert.equal(connection.status, 'open')
    assert.ok(muxer.streams[0]!.sendWindowCapacity > 0xffff_ffff)
  })
})

describe('a stream that the remote opens', LIMIT, () => {
  it('is made when it brings data, with the window that it has by then', async () => {
    const scene = withRemote([incoming])
    const { muxer } = await handle(scene, [update(1, SYN, 1000), update(1, 0, 10)])
    assert.equal(muxer.streams.length, 0)
    await handle(scene, [data(1, 'hello')])
    const [stream] = muxer.streams
    assert.equal(Buffer.from(stream!.readBuffer.subarray()).toString(), 'hello')
    assert.equal(stream!.sendWindowCapacity, 256 * 1024 + 1010)
  })

  it('is not made if it is reset before, nor answered', async () => {
    const scene = withRemote([incoming])
    let answered = 0
    scene.remote.addEventListener('message', ({ data: bytes }) => (answered += bytes.byteLength))
    const { muxer } = await handle(scene, [update(1, SYN), update(1, RST), data(1, 'late')])
    assert.deepEqual([muxer.streams.length, answered], [0, 0])
  })

  it('is reset if it ends before', async () => {
    const scene = withRemote([incoming])
    const answer = Promise.withResolvers<Uint8Array>()
    scene.remote.addEventListener('message', ({ data: bytes }) => answer.resolve(bytes.subarray()))
    const { muxer } = await handle(scene, [update(1, SYN), update(1, FIN)])
    assert.deepEqual([...(await answer.promise)], [...update(1, RST)])
    assert.equal(muxer.streams.length, 0)
  })

  it('is made a turn later if it is silent until then, with the window that it has by then', async () => {
    const { muxer } = await handle(withRemote([incoming]), [update(1, SYN, 1000), update(1, 0, 10)])
    await nextTurn()
    const [stream] = muxer.streams
    assert.equal(stream!.sendWindowCapacity, 256 * 1024 + 1010)
  })

  it('is not made a turn later if it has ended by then', async () => {
    const { muxer } = await handle(withRemote([incoming]), [
      update(1, SYN),
      update(1, RST),
      update(3, SYN),
      update(3, FIN),
      update(5, SYN | RST),
    ])
    await nextTurn()
    assert.equal(muxer.streams.length, 0)
  })

  it('is made while it is silent only if it is one of a few', async () => {
    const scene = withRemote([incoming])
    const ids = Array.from({ length: 100 }, (_, n) => 2 * n + 1)
    const { muxer } = await handle(
      scene,
      ids.map(id => update(id, SYN)),
    )
    await nextTurn()
    assert.equal(muxer.streams.length, FEW)
    await handle(scene, [update(201, SYN)])
    await nextTurn()
    assert.equal(muxer.streams.length, FEW, 'in another turn')
    await handle(scene, [data(1, 'hello'), update(3, RST), update(203, SYN), update(205, SYN)])
    await nextTurn()
    assert.equal(muxer.streams.length, FEW + 1, 'one has spoken, one is gone, and two are new')
    assert.deepEqual(
      muxer.streams.slice(-2).map(({ streamId }) => streamId),
      [203, 205],
    )
  })

  it('counts while it is silent', async () => {
    const scene = withRemote([incoming])
    const answer = Promise.withResolvers<Uint8Array>()
    scene.remote.addEventListener('message', ({ data: bytes }) => answer.resolve(bytes.subarray()))
    const ids = Array.from({ length: MAX_STREAMS + 1 }, (_, n) => 2 * n + 1)
    await handle(
      scene,
      ids.map(id => update(id, SYN)),
    )
    assert.deepEqual([...(await answer.promise)], [...update(ids.at(-1)!, RST)])
  })

  for (const [what, frames] of [
    ['while it is silent', [update(1, SYN), update(1, 0, 0xffff_ffff)]],
    ['afterwards', [update(1, SYN), data(1, 'hello'), update(1, 0, 0xffff_ffff)]],
    ['in two steps', [update(1, SYN), data(1, 'hello'), update(1, 0, 0xfff0_0000), update(1, 0, 0xf_ffff)]],
  ] as const)
    it(`ends the connection if its window overflows, ${what}`, async () => {
      const { connection } = await handle(withRemote([incoming]), [...frames])
      assert.equal(connection.status, 'aborted')
    })

  it('with an id of this side ends the connection', async () => {
    const { connection } = await handle(withRemote([incoming]), [update(2, SYN)])
    assert.equal(connection.status, 'aborted')
  })
})

describe('streams that are of no use end the connection when they are too many', LIMIT, () => {
  const { capacity } = FRAME_BUDGETS.unused
  const kinds: ReadonlyArray<[string, (id: number) => Uint8Array[]]> = [
    ['opened and reset', id => [update(id, SYN), update(id, RST)]],
    ['opened and reset in one frame', id => [update(id, SYN | RST)]],
    ['opened and ended', id => [update(id, SYN | FIN)]],
    ['reset after some data', id => [update(id, SYN), data(id, 'hello'), update(id, RST)]],
  ]
  for (const [what, make] of kinds) {
    it(what, async () => {
      const { connection } = await handle(withRemote([incoming]), framesOf(2 * capacity, make))
      await until(() => connection.status === 'aborted')
    })

    it(`${what}, but not as many`, async () => {
      const { connection } = await handle(withRemote([incoming]), framesOf(capacity, make))
      assert.equal(connection.status, 'open')
    })
  }

  it('but not those that carry data and end in order on both sides', async () => {
    const scene = withRemote([incoming])
    scene.muxer.addEventListener('stream', ({ detail }) => void detail.close())
    const { connection, muxer } = await handle(
      scene,
      framesOf(2 * capacity, id => [update(id, SYN), data(id, 'hello'), update(id, FIN)]),
    )
    await until(() => muxer.streams.length === 0)
    assert.equal(connection.status, 'open')
  })

  it('refused beyond the limit of streams', async () => {
    const count = MAX_STREAMS + FRAME_BUDGETS.refused.capacity
    const open = (id: number): Uint8Array[] => [update(id, SYN)]
    const within = await handle(withRemote([incoming]), framesOf(count, open))
    assert.equal(within.connection.status, 'open')
    const beyond = await handle(withRemote([incoming]), framesOf(2 * count, open))
    assert.equal(beyond.connection.status, 'aborted')
  })
})

describe('IncomingStreams', () => {
  const PACKAGE = '@chainsafe/libp2p-yamux'
  const members = {
    client: false,
    numInboundStreams: 0,
    maxInboundStreams: 1,
    handleStreamMessage: () => {},
    incomingStream: () => {},
    sendFrame: () => true,
    _newStream: () => {},
  }
  refusesWithout(PACKAGE, members, muxer => amendMuxer(incoming, muxer))
  const ofStream = { streamId: 1, sendWindowCapacity: 1, handleData: () => {}, handleWindowUpdate: () => {} }
  refusesWithout(PACKAGE, ofStream, stream => amendStream(incoming, stream))
})

function framesOf(count: number, make: (id: number) => Uint8Array[]): Uint8Array[] {
  return Array.from({ length: count }, (_, n) => make(2 * n + 1)).flat()
}
