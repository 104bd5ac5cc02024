/** Stands in for a multiplexer: hands out the encrypted connection, on which frames are sent by hand. */

import type { MessageStream, StreamMuxerFactory } from '@libp2p/interface'

/** Makes the factory for a node. Its connections have no streams of their own. */
export function bareMuxer(onConnection: (connection: MessageStream) => void): () => StreamMuxerFactory {
  return () => ({
    protocol: '/yamux/1.0.0',
    createStreamMuxer: connection => {
      onConnection(connection)
      const nothing = (): void => {}
      return {
        protocol: '/yamux/1.0.0',
        status: 'open',
        streams: [],
        addEventListener: nothing,
        removeEventListener: nothing,
        close: async () => {},
        abort: nothing,
        createStream: async () => new Promise(() => {}),
      } as never
    },
  })
}
