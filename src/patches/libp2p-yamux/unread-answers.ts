/**
 * Bounds what waits to be sent to a remote that does not read.
 *
 * Fault of `@chainsafe/libp2p-yamux` 8.0.1: it sends frames without data, such as answers to pings and ends of
 * streams, whether the connection has room for them or not (muxer.ts, `sendFrame`). 1 MiB of pings from a
 * remote that does not read takes 100 MiB of memory. A stream that begins while the connection is full is not
 * told so, and sends a frame of data all the same.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import { FrameType } from './internals.ts'
import type { Amendment } from './amend.ts'

/**
 * Frames without data that may wait: twice as many as 2,048 streams bring about when all of them are opened and
 * closed. They take some 2 MiB of memory.
 */
const MAX_WAITING_FRAMES = 8_192

const assertShape = shapeCheck('@chainsafe/libp2p-yamux', { send: 'function', _newStream: 'function' })
const assertStreamShape = shapeCheck('@libp2p/utils', { onMuxerNeedsDrain: 'function' })
const assertConnectionShape = shapeCheck('@libp2p/utils', { writableNeedsDrain: 'boolean' })

export const boundUnreadAnswers: Amendment = (muxer, connection) => {
  assertShape(muxer)
  assertConnectionShape(connection)
  const send = muxer.send.bind(muxer)
  let waiting = 0
  muxer.send = frame => {
    const hasRoom = send(frame)
    if (hasRoom) waiting = 0
    else if (frame.subarray(1, 2)[0] !== FrameType.data) waiting++
    if (waiting > MAX_WAITING_FRAMES)
      connection.abort(new Error(`The remote does not read: ${waiting} frames wait to be sent`))
    return hasRoom
  }
  connection.addEventListener('drain', () => (waiting = 0))
  const create = muxer._newStream.bind(muxer)
  muxer._newStream = (...args) => {
    const stream = create(...args)
    assertStreamShape(stream)
    if (connection.writableNeedsDrain) stream.onMuxerNeedsDrain()
    return stream
  }
}
