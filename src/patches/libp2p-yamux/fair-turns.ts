/**
 * Lets the streams of a connection take turns: a stream that fills the connection goes to the end of the row,
 * with those before it, which have had their turn.
 *
 * Fault of `@libp2p/utils` 7.4.1, which has the base class of yamux's multiplexer: when a full connection has
 * room again, it asks its streams to go on in the order in which they were opened (abstract-stream-muxer.ts,
 * `muxerMaConnOnDrain`), and the first stream fills the connection again. As long as that one has something
 * to send, and a window, no other stream has a turn.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import { ofStreams } from './amend.ts'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { Amendment } from './amend.ts'
import type { YamuxStream } from './internals.ts'

const assertShape = shapeCheck('@libp2p/utils', { streams: 'object', send: 'function' })
const checkStreams = ofStreams(shapeCheck('@chainsafe/libp2p-yamux', { streamId: 'number' }))

export const takeTurns: Amendment = (muxer, connection) => {
  assertShape(muxer)
  checkStreams(muxer, connection)
  const send = muxer.send.bind(muxer)
  muxer.send = frame => {
    const hasRoom = send(frame)
    if (!hasRoom) rotateBeyond(muxer.streams, streamIdOf(frame))
    return hasRoom
  }
}

function rotateBeyond(streams: YamuxStream[], id: number): void {
  const index = streams.findIndex(it => it.streamId === id)
  if (index !== -1) streams.push(...streams.splice(0, index + 1))
}

/**
 * The third field of yamux's header, 4 bytes in network order
 * (https://github.com/hashicorp/yamux/blob/master/spec.md).
 */
function streamIdOf(frame: Uint8Array | Uint8ArrayList): number {
  const [a = 0, b = 0, c = 0, d = 0] = frame.subarray(4, 8)
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
}
