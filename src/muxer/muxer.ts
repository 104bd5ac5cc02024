/** The multiplexer of every node: yamux, and what has to be mended about it. */

import { yamux } from '@chainsafe/libp2p-yamux'
import { guardStreams } from '../patches/multistream-select/endless-length.ts'
import { amended } from '../patches/libp2p-yamux/amend.ts'
import { takeTurns } from '../patches/libp2p-yamux/fair-turns.ts'
import { boundFrames } from '../patches/libp2p-yamux/frame-bounds.ts'
import { dropLateFrames } from '../patches/libp2p-yamux/late-frames.ts'
import { joinSmallPieces } from '../patches/libp2p-yamux/small-pieces.ts'
import { updateWindowsSparingly } from '../patches/libp2p-yamux/window-updates.ts'
import type { YamuxMuxerInit } from '@chainsafe/libp2p-yamux'

/**
 * Streams that a remote may open before this side has set up the connection. With libp2p's 10 the remote would end the whole connection where an application begins a dozen things at
 * once.
 */
const MAX_EARLY_STREAMS = 256

/**
 * How far a sender may run ahead of a reader, in bytes. yamux lets its window grow to 16 MiB, but a stream of libp2p is
 * aborted when more than 4 MiB wait to be read (`DEFAULT_MAX_READ_BUFFER_LENGTH` of `@libp2p/utils`). 4 MiB are 160 Mbit/s
 * at a round trip of 200 ms.
 */
const MAX_WINDOW_BYTES = 4 * 1024 * 1024

/** Makes the multiplexer, in place of `yamux()`. */
export function muxer(init: YamuxMuxerInit = {}): ReturnType<typeof yamux> {
  const streamOptions = { maxStreamWindowSize: MAX_WINDOW_BYTES }
  return amended(yamux({ maxEarlyStreams: MAX_EARLY_STREAMS, streamOptions, ...init }), [
    dropLateFrames,
    takeTurns,
    boundFrames(MAX_WINDOW_BYTES),
    updateWindowsSparingly,
    joinSmallPieces,
    guardStreams,
  ]) as ReturnType<typeof yamux>
}
