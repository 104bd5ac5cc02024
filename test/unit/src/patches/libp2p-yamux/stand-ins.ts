/** Stand-ins for a multiplexer that has all members, and for its connection. */

import type { MessageStream } from '@libp2p/interface'
import type { Amendment } from '../../../../../src/patches/libp2p-yamux/amend.ts'
import type { Yamux, YamuxStream } from '../../../../../src/patches/libp2p-yamux/internals.ts'

const connection = { writeStatus: 'writable' } as unknown as MessageStream

/** Applies an amendment to a multiplexer. */
export function amendMuxer(amend: Amendment, muxer: Yamux): void {
  amend(muxer, connection)
}

/** Applies an amendment to a multiplexer, and lets that make the stream. */
export function amendStream(amend: Amendment, stream: YamuxStream): void {
  const decoder = { buffer: {}, readFrame: () => undefined }
  const methods = { onData: () => {}, send: () => true, onRemoteStream: () => {} }
  const muxer = { streams: [], decoder, ...methods, _newStream: () => stream } as unknown as Yamux
  amend(muxer, connection)
  muxer._newStream()
}
