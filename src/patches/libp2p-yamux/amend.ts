/**
 * Amending the multiplexer of `@chainsafe/libp2p-yamux`: each amendment mends one fault, of that package or
 * of what it is built upon, and checks the members that it needs.
 */

import { shapeCheck } from '../expect-shape.ts'
import type { MessageStream, StreamMuxerFactory } from '@libp2p/interface'
import type { Yamux, YamuxStream } from './internals.ts'

/** Changes a multiplexer that was just made for a connection. @throws {UpstreamChangedError} */
export type Amendment = (muxer: Yamux, connection: MessageStream) => void

const assertShape = shapeCheck('@chainsafe/libp2p-yamux', { _newStream: 'function' })

/**
 * The same multiplexer, amended. Connections fail with `UpstreamChangedError` where an amendment does not
 * fit.
 */
export function amended<Components>(
  create: (components: Components) => StreamMuxerFactory,
  amendments: readonly Amendment[],
): (components: Components) => StreamMuxerFactory {
  return components => {
    const factory = create(components)
    const createStreamMuxer = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = connection => {
      const muxer = createStreamMuxer(connection)
      for (const amend of amendments) amend(muxer as Yamux, connection)
      return muxer
    }
    return factory
  }
}

/** An amendment of each stream. */
export function ofStreams(amend: (stream: YamuxStream) => void): Amendment {
  return muxer => {
    assertShape(muxer)
    const create = muxer._newStream.bind(muxer)
    muxer._newStream = (...args) => {
      const stream = create(...args)
      amend(stream)
      return stream
    }
  }
}
