/**
 * Keeps what has come of a frame that is not whole in few pieces.
 *
 * Fault of `@chainsafe/libp2p-yamux` 8.0.1: it keeps the pieces of such a frame as they came (decode.ts,
 * `emitFrames`). A remote that sends a long frame byte by byte takes a hundred times the memory that the
 * length allows.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import { SmallPieces } from '../piece-joiner.ts'
import type { Amendment } from './amend.ts'

const assertShape = shapeCheck('@chainsafe/libp2p-yamux', { onData: 'function', 'decoder.buffer': 'object' })

export const joinPartialFrames: Amendment = muxer => {
  assertShape(muxer)
  const waiting = new SmallPieces()
  const onData = muxer.onData.bind(muxer)
  muxer.onData = data => {
    onData(data)
    waiting.note(data, muxer.decoder.buffer)
  }
}
