import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { joinSmallPieces } from '../../../../../src/patches/libp2p-yamux/small-pieces.ts'
import { header, withRemote } from './muxer-pair.ts'
import { until } from '../../../../waits.ts'

const [DATA, SYN] = [0, 1]
const BYTES = 5_000

describe('what waits to be read', () => {
  it('is in few pieces, and whole, though each byte comes in a frame of its own', async () => {
    const { remote, muxer } = withRemote([joinSmallPieces])
    for (let n = 0; n < BYTES; n++)
      remote.send(
        Buffer.concat([
          header({ type: DATA, flags: n === 0 ? SYN : 0, streamId: 1, length: 1 }),
          Buffer.of(n),
        ]),
      )
    await until(() => muxer.streams[0]?.readBuffer.byteLength === BYTES)
    const [stream] = muxer.streams
    assert.ok([...stream!.readBuffer].length <= 256)
    const received: number[] = []
    stream!.addEventListener('message', ({ data }) => received.push(...data.subarray()))
    await until(() => received.length === BYTES)
    assert.deepEqual(
      received,
      Array.from({ length: BYTES }, (_, n) => n & 0xff),
    )
  })

  it('of a frame that is not whole is in few pieces, though it comes byte by byte', async () => {
    const { remote, muxer } = withRemote([joinSmallPieces])
    remote.send(header({ type: DATA, flags: SYN, streamId: 1, length: BYTES + 1 }))
    for (let n = 0; n < BYTES; n++) remote.send(Uint8Array.of(n))
    const { buffer } = muxer.decoder
    await until(() => buffer.byteLength === 12 + BYTES)
    assert.ok([...buffer].length <= 256)
    remote.send(Uint8Array.of(0))
    await until(() => muxer.streams[0]?.readBuffer.byteLength === BYTES + 1)
  })

  it('is as it came where the pieces are large', async () => {
    const { remote, muxer } = withRemote([joinSmallPieces])
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
