/**
 * What is behind the interfaces of `@chainsafe/libp2p-yamux` 8.0.1: the amendments in this folder take hold
 * of it.
 */

import type { StreamState } from '@chainsafe/libp2p-yamux/stream'
import type { Stream, StreamMuxer } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'

/** Bytes of a frame's header (https://github.com/hashicorp/yamux/blob/master/spec.md). */
export const HEADER_BYTES = 12

/** The window of a new stream, in bytes, as the specification has it. */
export const FIRST_WINDOW_BYTES = 256 * 1024

/** The types of frames. */
export const FrameType = { data: 0, windowUpdate: 1, ping: 2, goAway: 3 } as const

/** The flags of frames. */
export const Flag = { syn: 1, ack: 2, fin: 4, rst: 8 } as const

/** Flags after which the remote sends no data of a stream. */
export const ENDS = Flag.fin | Flag.rst

/** The fields of a header. */
export interface FrameHeader {
  readonly type: number
  readonly flag: number
  readonly streamID: number
  /** Bytes of data, a window's growth in bytes, the value of a ping, or the reason of an end. */
  readonly length: number
}

/** A whole frame. */
export interface Frame {
  readonly header: FrameHeader
  /** Frames of data have some. */
  readonly data?: Uint8ArrayList
}

export interface YamuxStream extends Stream {
  readonly streamId: number
  readonly state: StreamState
  /** What the remote may send when all is read, in bytes, and what is left of that. */
  readonly recvWindow: number
  readonly recvWindowCapacity: number
  /** What this side may send, in bytes. */
  readonly sendWindowCapacity: number
  readonly readBuffer: Uint8ArrayList
  writableNeedsDrain: boolean
  safeDispatchEvent(type: string, ...init: unknown[]): boolean
  /** Sends what was written, as far as window and connection allow. */
  processSendQueue(): boolean
  sendWindowUpdate(): void
  handleData(frame: Frame): void
  handleWindowUpdate(frame: Frame): void
  onMuxerNeedsDrain(): void
}

export interface Yamux extends StreamMuxer {
  streams: YamuxStream[]
  readonly client: boolean
  readonly localGoAway: number | undefined
  readonly numInboundStreams: number
  readonly maxInboundStreams: number
  onData(data: Uint8Array | Uint8ArrayList): void
  handleFrame(frame: Frame): void
  handleStreamMessage(frame: Frame): void
  handleGoAway(reason: number): void
  /** Makes a stream that the remote opens. */
  incomingStream(id: number): void
  sendFrame(header: FrameHeader): boolean
  /** All frames go out by this; false if the connection has no room for more. */
  send(frame: Uint8Array | Uint8ArrayList): boolean
  onRemoteStream(stream: Stream): void
  _newStream(...args: unknown[]): YamuxStream
}
