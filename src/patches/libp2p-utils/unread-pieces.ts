/**
 * Keeps what waits to be read from a stream in few pieces.
 *
 * Fault of `@libp2p/utils` 7.4.1: a stream keeps the pieces that nobody has read as they came
 * (abstract-message-stream.ts, `onData`), and its limits count bytes. A remote that sends frames of a byte
 * takes a hundred times as much memory.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import { SmallPieces } from '../piece-joiner.ts'
import { ofStreams } from '../libp2p-yamux/amend.ts'

const assertBufferShape = shapeCheck('@libp2p/utils', { readBuffer: 'object' })
const assertShape = shapeCheck('@chainsafe/libp2p-yamux', { handleData: 'function' })

export const joinUnreadPieces = ofStreams(stream => {
  assertBufferShape(stream)
  assertShape(stream)
  const waiting = new SmallPieces()
  const handleData = stream.handleData.bind(stream)
  stream.handleData = frame => {
    // a reader may take it apart
    const whole = frame.data?.sublist()
    handleData(frame)
    if (whole !== undefined) waiting.note(whole, stream.readBuffer)
  }
})
