/**
 * Ends a connection whose remote begins a frame that is longer than it may be.
 *
 * Fault of `@chainsafe/libp2p-yamux` 8.0.1: it holds a frame against the window of its stream once all of it
 * is there (decode.ts, `readFrame`), and the length is anything up to 4 GiB. Every peer that can connect
 * could fill the memory.
 *
 * Upstream issue: not reported.
 */

import { InvalidMessageError } from '@libp2p/interface'
import { shapeCheck } from '../expect-shape.ts'
import { ofStreams } from './amend.ts'
import { FIRST_WINDOW_BYTES, HEADER_BYTES } from './internals.ts'
import type { Amendment } from './amend.ts'
import type { Yamux } from './internals.ts'

const DATA = 0
const SYN = 1

const PACKAGE = '@chainsafe/libp2p-yamux'
const assertShape = shapeCheck(PACKAGE, {
  streams: 'object',
  'decoder.buffer': 'object',
  'decoder.readFrame': 'function',
})
const checkStreams = ofStreams(shapeCheck(PACKAGE, { streamId: 'number', recvWindowCapacity: 'number' }))

/** @param maxWindowBytes - the largest window of a stream */
export function boundFrames(maxWindowBytes: number): Amendment {
  return (muxer, connection) => {
    assertShape(muxer)
    checkStreams(muxer, connection)
    const { decoder } = muxer
    const readFrame = decoder.readFrame.bind(decoder)
    decoder.readFrame = () => {
      const frame = readFrame()
      // one that is whole was held against the window
      if (frame === undefined && decoder.buffer.byteLength >= HEADER_BYTES) assertFits(muxer, maxWindowBytes)
      return frame
    }
  }
}

function assertFits({ decoder, streams }: Yamux, maxWindowBytes: number): void {
  const header = decoder.buffer.subarray(0, HEADER_BYTES)
  const { buffer, byteOffset, byteLength } = header
  const view = new DataView(buffer, byteOffset, byteLength)
  const [type, flags, streamId, length] = [
    view.getUint8(1),
    view.getUint16(2),
    view.getUint32(4),
    view.getUint32(8),
  ]
  if (type !== DATA) return
  const stream = streams.find(it => it.streamId === streamId)
  // what was on its way to a stream that is gone is passed over
  const unknown = (flags & SYN) === 0 ? maxWindowBytes : FIRST_WINDOW_BYTES
  const bound = stream?.recvWindowCapacity ?? unknown
  if (length > bound)
    throw new InvalidMessageError(`A frame of ${length} bytes is longer than the window, ${bound}`)
}
