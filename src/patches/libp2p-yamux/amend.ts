/** Amending a multiplexer: each amendment of this folder mends one thing about `@chainsafe/libp2p-yamux`, and can go once that is mended there. */

import { shapeCheck } from '../expect-shape.ts'
import type { MessageStream, StreamMuxerFactory } from '@libp2p/interface'
import type { Yamux, YamuxStream } from './internals.ts'

/** Changes a multiplexer that was just made for a connection. */
export type Amendment = (muxer: Yamux, connection: MessageStream) => void

// all that the amendments of this folder take hold of
const assertMuxerShape = shapeCheck('@chainsafe/libp2p-yamux', {
  streams: 'object',
  'decoder.buffer': 'object',
  'decoder.readFrame': 'function',
  onData: 'function',
  send: 'function',
  onRemoteStream: 'function',
  _newStream: 'function',
})
const assertStreamShape = shapeCheck('@chainsafe/libp2p-yamux', {
  streamId: 'number',
  state: 'number',
  recvWindow: 'number',
  recvWindowCapacity: 'number',
  readBuffer: 'object',
  sendWindowUpdate: 'function',
  handleData: 'function',
})

/** The same multiplexer, amended. Connections fail with `UpstreamChangedError` where it is built otherwise. */
export function amended<Components>(
  create: (components: Components) => StreamMuxerFactory,
  amendments: readonly Amendment[],
): (components: Components) => StreamMuxerFactory {
  return components => {
    const factory = create(components)
    const createStreamMuxer = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = connection => {
      const muxer = createStreamMuxer(connection)
      assertMuxerShape(muxer)
      for (const amend of amendments) amend(muxer as Yamux, connection)
      return muxer
    }
    return factory
  }
}

/** An amendment of each stream. */
export function ofStreams(amend: (stream: YamuxStream) => void): Amendment {
  return muxer => {
    const create = muxer._newStream.bind(muxer)
    muxer._newStream = (...args) => {
      const stream = create(...args)
      assertStreamShape(stream)
      amend(stream)
      return stream
    }
  }
}
