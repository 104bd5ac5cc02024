import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { joinUnreadPieces } from '../../../../../src/patches/libp2p-utils/unread-pieces.ts'
import { header, withRemote } from '../libp2p-yamux/muxer-pair.ts'
import { amendMuxer, amendStream } from '../libp2p-yamux/stand-ins.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import type { Amendment } from '../../../../../src/patches/libp2p-yamux/amend.ts'
import type { YamuxStream } from '../../../../../src/patches/libp2p-yamux/internals.ts'

const [DATA, SYN] = [0, 1]
const LIMIT = { timeout: 30_000 }
const BYTES = 5_000

describe('what comes in frames of a byte, and waits to be read', LIMIT, () => {
  it('takes a piece for each byte in @libp2p/utils, which is the fault', async () => {
    const { readBuffer } = await unread([])
    assert.equal([...readBuffer].length, BYTES)
  })

  it('is in few pieces, and whole', async () => {
    const stream = await unread([joinUnreadPieces])
    assert.ok([...stream.readBuffer].length <= 256)
    const received: number[] = []
    stream.addEventListener('message', ({ data }) => received.push(...data.subarray()))
    await until(() => received.length === BYTES)
    assert.deepEqual(
      received,
      Array.from({ length: BYTES }, (_, n) => n & 0xff),
    )
  })
})

describe('what comes in large frames, and waits to be read', LIMIT, () => {
  it('is as it came', async () => {
    const { remote, muxer } = withRemote([joinUnreadPieces])
    const bytes = 32 * 1024
    for (let n = 0; n < 8; n++)
      remote.send(
        Buffer.concat([
          header({ type: DATA, flags: n === 0 ? SYN : 0, streamId: 1, length: bytes }),
          Buffer.alloc(bytes),
        ]),
      )
    await until(() => muxer.streams[0]?.readBuffer.byteLength === 8 * bytes)
    assert.ok([...muxer.streams[0]!.readBuffer].length >= 8)
  })
})

describe('joinUnreadPieces', () => {
  const YAMUX = '@chainsafe/libp2p-yamux'
  refusesWithout(YAMUX, { _newStream: () => {} }, muxer => amendMuxer(joinUnreadPieces, muxer))
  refusesWithout('@libp2p/utils', { readBuffer: {} }, stream => amendStream(joinUnreadPieces, stream))
  refusesWithout(YAMUX, { handleData: () => {} }, (stream: object) =>
    amendStream(joinUnreadPieces, Object.assign(stream, { readBuffer: {} }) as never),
  )
})

/** Sends each byte in a frame of its own. Resolves with the stream when all of them wait. */
async function unread(amendments: readonly Amendment[]): Promise<YamuxStream> {
  const { remote, muxer } = withRemote(amendments)
  for (let n = 0; n < BYTES; n++)
    remote.send(
      Buffer.concat([header({ type: DATA, flags: n === 0 ? SYN : 0, streamId: 1, length: 1 }), Buffer.of(n)]),
    )
  await until(() => muxer.streams[0]?.readBuffer.byteLength === BYTES)
  return muxer.streams[0]!
}
