/**
 * Throws away what a multiplexer sends after its connection has ended.
 *
 * @chainsafe/libp2p-yamux 8.0.1 sends the first frame of a new stream in a microtask (`onCreateStream`), and frames of streams when the connection has room again. If the
 * connection has ended by then, `send` throws where nobody catches it, and the process ends: a relay could have any peer of its crash, by breaking a circuit on which that
 * peer begins a stream. The streams learn from the connection itself that it is over.
 * test/network/upstream-faults.test.ts tells when it is mended.
 */

import type { MessageStream, Stream, StreamMuxerFactory } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'

/** What is behind the interface: all frames go out by this method, which returns false if the connection has no room for more. */
interface Outgoing {
  send(frame: Uint8Array | Uint8ArrayList): boolean
}

/** The same multiplexer, whose late frames do no harm. */
export function dropLateFrames<Components>(
  create: (components: Components) => StreamMuxerFactory,
): (components: Components) => StreamMuxerFactory {
  return components => {
    const factory = create(components)
    const createStreamMuxer = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = connection => {
      const muxer = createStreamMuxer(connection) as ReturnType<typeof createStreamMuxer> & Outgoing
      const send = muxer.send.bind(muxer)
      const hasEnded = (): boolean => {
        const { writeStatus } = connection as MessageStream & Pick<Stream, 'writeStatus'>
        return writeStatus === 'closed' || writeStatus === 'closing'
      }
      muxer.send = frame => hasEnded() || send(frame)
      return muxer
    }
    return factory
  }
}
