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

export interface YamuxStream extends Stream {
  readonly streamId: number
  readonly state: StreamState
  /** What the remote may send when all is read, in bytes, and what is left of that. */
  readonly recvWindow: number
  readonly recvWindowCapacity: number
  readonly readBuffer: Uint8ArrayList
  sendWindowUpdate(): void
  handleData(frame: { data: Uint8ArrayList }): void
}

export interface Yamux extends StreamMuxer {
  streams: YamuxStream[]
  readonly decoder: {
    /** What has come of a frame that is not whole. */
    readonly buffer: Uint8ArrayList
    readFrame(): object | undefined
  }
  onData(data: Uint8Array | Uint8ArrayList): void
  /** All frames go out by this; false if the connection has no room for more. */
  send(frame: Uint8Array | Uint8ArrayList): boolean
  onRemoteStream(stream: Stream): void
  _newStream(...args: unknown[]): YamuxStream
}
