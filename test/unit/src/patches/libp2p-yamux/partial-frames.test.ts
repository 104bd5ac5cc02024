import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { joinPartialFrames } from '../../../../../src/patches/libp2p-yamux/partial-frames.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { header, withRemote } from './muxer-pair.ts'
import { amendMuxer } from './stand-ins.ts'
import type { Amendment } from '../../../../../src/patches/libp2p-yamux/amend.ts'

const [DATA, SYN] = [0, 1]
const LIMIT = { timeout: 30_000 }
const BYTES = 5_000

describe('a frame that comes byte by byte', LIMIT, () => {
  it('takes a piece for each byte in @chainsafe/libp2p-yamux, which is the fault', async () => {
    assert.equal(await piecesFor([]), BYTES + 1)
  })

  it('is in few pieces', async () => {
    assert.ok((await piecesFor([joinPartialFrames])) <= 256)
  })
})

describe('joinPartialFrames', () => {
  const members = { onData: () => {}, 'decoder.buffer': {} }
  refusesWithout('@chainsafe/libp2p-yamux', members, muxer => amendMuxer(joinPartialFrames, muxer))
})

/**
 * The pieces in which all but the last byte of a frame waits. Tests that the frame arrives whole with that
 * byte.
 */
async function piecesFor(amendments: readonly Amendment[]): Promise<number> {
  const { remote, muxer } = withRemote(amendments)
  remote.send(header({ type: DATA, flags: SYN, streamId: 1, length: BYTES + 1 }))
  for (let n = 0; n < BYTES; n++) remote.send(Uint8Array.of(n))
  const { buffer } = muxer.decoder
  await until(() => buffer.byteLength === 12 + BYTES)
  const pieces = [...buffer].length
  remote.send(Uint8Array.of(BYTES))
  await until(() => muxer.streams[0]?.readBuffer.byteLength === BYTES + 1)
  assert.deepEqual(
    [...muxer.streams[0]!.readBuffer.subarray()],
    Array.from({ length: BYTES + 1 }, (_, n) => n & 0xff),
  )
  return pieces
}
