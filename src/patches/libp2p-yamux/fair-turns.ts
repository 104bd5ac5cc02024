/**
 * Lets the streams of a connection take turns.
 *
 * When a full connection has room again, the multiplexer asks its streams to go on in the order in which they were opened, and the first of them fills the connection again
 * (@libp2p/utils 7.4.1 abstract-stream-muxer.ts, `muxerMaConnOnDrain`): as long as that one has something to send, and a window, nobody else has a turn. So here whoever fills
 * the connection goes to the end of the row, with those before it, which have had their turn.
 * test/network/upstream-faults.test.ts tells when it is mended.
 */

import type { Uint8ArrayList } from 'uint8arraylist'
import type { Amendment } from './amend.ts'
import type { YamuxStream } from './internals.ts'

export const takeTurns: Amendment = muxer => {
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

/** The third field of yamux's header, 4 bytes in network order (https://github.com/hashicorp/yamux/blob/master/spec.md). */
function streamIdOf(frame: Uint8Array | Uint8ArrayList): number {
  const [a = 0, b = 0, c = 0, d = 0] = frame.subarray(4, 8)
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
}
