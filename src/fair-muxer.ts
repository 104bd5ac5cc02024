/**
 * Lets the streams of a connection take turns.
 *
 * When a full connection has room again, the multiplexer asks its streams to go on in the order in which they were opened, and the first of them fills the connection again
 * (@libp2p/utils 7.4.1 abstract-stream-muxer.ts, `muxerMaConnOnDrain`): as long as that one has something to send, and a window, nobody else has a turn. So here whoever fills
 * the connection goes to the end of the row, with those before it, which have had their turn.
 * test/network/upstream-faults.test.ts tells when it is mended.
 */

import type { Stream, StreamMuxerFactory } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'

/** What is behind the interface: all frames go out by this method, which returns false if the connection has no room for more. */
interface Outgoing {
  send(frame: Uint8Array | Uint8ArrayList): boolean
}

/** The same multiplexer, whose streams all come first in their turn. */
export function fairMuxer<Components>(
  create: (components: Components) => StreamMuxerFactory,
): (components: Components) => StreamMuxerFactory {
  return components => {
    const factory = create(components)
    const createStreamMuxer = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = connection => {
      const muxer = createStreamMuxer(connection) as ReturnType<typeof createStreamMuxer> & Outgoing
      const send = muxer.send.bind(muxer)
      muxer.send = frame => {
        const hasRoom = send(frame)
        if (!hasRoom) rotateBeyond(muxer.streams, streamIdOf(frame))
        return hasRoom
      }
      return muxer
    }
    return factory
  }
}

function rotateBeyond(streams: Stream[], id: string): void {
  const index = streams.findIndex(it => it.id === id)
  if (index !== -1) streams.push(...streams.splice(0, index + 1))
}

/** The third field of yamux's header, 4 bytes in network order (https://github.com/hashicorp/yamux/blob/master/spec.md). */
function streamIdOf(frame: Uint8Array | Uint8ArrayList): string {
  const [a = 0, b = 0, c = 0, d = 0] = frame.subarray(4, 8)
  return String(((a << 24) | (b << 16) | (c << 8) | d) >>> 0)
}
