/**
 * Lets a paused stream hold a whole window of yamux.
 *
 * Fault of `@libp2p/utils` 7.4.1: it aborts a stream that contains more than `maxReadBufferLength`, 4 MiB by
 * default (abstract-message-stream.ts, `checkReadBufferLength`). A paused yamux stream takes in what is left
 * of its window, which grows up to `MAX_STREAM_WINDOW`, 16 MiB (@chainsafe/libp2p-yamux 8.0.1 constants.ts).
 * So a fast remote and a slow local reader end in StreamBufferError. The muxer of this project stops at 4
 * MiB, that of an application may not. The window bounds the memory, not this limit.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import type { MessageStream } from '@libp2p/interface'

/**
 * Unread bytes that a paused stream may hold: the largest receive window that yamux has, and a frame to
 * spare.
 */
const PAUSED_STREAM_BYTES = 16 * 1024 * 1024 + 64 * 1024

const assertShape = shapeCheck('@libp2p/utils', { maxReadBufferLength: 'number' })

/** Raises the limit of a stream, if it is lower. @throws {UpstreamChangedError} */
export function raiseReadBufferLimit(stream: MessageStream): void {
  assertShape(stream)
  stream.maxReadBufferLength = Math.max(stream.maxReadBufferLength, PAUSED_STREAM_BYTES)
}
