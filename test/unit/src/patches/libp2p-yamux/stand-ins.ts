/** Stand-ins for a multiplexer that has all members, and for its connection. */

import type { MessageStream } from '@libp2p/interface'
import type { Amendment } from '../../../../../src/patches/libp2p-yamux/amend.ts'
import type { Yamux, YamuxStream } from '../../../../../src/patches/libp2p-yamux/internals.ts'

const nothing = (): void => {}

const connection = {
  writeStatus: 'writable',
  writableNeedsDrain: false,
  readStatus: 'readable',
  maxReadBufferLength: 1,
  pause: nothing,
  resume: nothing,
  close: nothing,
  abort: nothing,
  addEventListener: nothing,
} as unknown as MessageStream

/** Applies an amendment to a multiplexer. */
export function amendMuxer(amend: Amendment, muxer: Yamux): void {
  amend(muxer, connection)
}

/** Applies an amendment to a multiplexer that has all members, but to a connection that may not. */
export function amendConnection(amend: Amendment, other: MessageStream): void {
  amend(muxerOf(undefined), other)
}

/** Applies an amendment to a multiplexer, and lets that make the stream. */
export function amendStream(amend: Amendment, stream: YamuxStream): void {
  const muxer = muxerOf(stream)
  amend(muxer, connection)
  muxer._newStream()
}

function muxerOf(stream: YamuxStream | undefined): Yamux {
  const numbers = { numInboundStreams: 0, maxInboundStreams: 1 }
  const frames = {
    onData: nothing,
    handleFrame: nothing,
    handleStreamMessage: nothing,
    handleGoAway: nothing,
  }
  const streams = { streams: [], incomingStream: nothing, onRemoteStream: nothing, _newStream: () => stream }
  const output = { send: () => true, sendFrame: () => true }
  const all = { client: false, status: 'open', ...numbers, ...frames, ...streams, ...output }
  return all as unknown as Yamux
}
