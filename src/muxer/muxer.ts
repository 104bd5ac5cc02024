/** The stream multiplexer of every node: yamux with this project's settings and patches. */

import { yamux } from '@chainsafe/libp2p-yamux'
import { passDirectly } from '../patches/libp2p-utils/direct-messages.ts'
import { joinUnreadPieces } from '../patches/libp2p-utils/unread-pieces.ts'
import { amended, ofStreams } from '../patches/libp2p-yamux/amend.ts'
import { drainWhenSent } from '../patches/libp2p-yamux/early-drain.ts'
import { takeTurns } from '../patches/libp2p-yamux/fair-turns.ts'
import { earnFrames, FrameBudgets } from '../patches/libp2p-yamux/frame-budgets.ts'
import { handleInTurns } from '../patches/libp2p-yamux/frame-turns.ts'
import { IncomingStreams } from '../patches/libp2p-yamux/incoming-streams.ts'
import { dropLateFrames } from '../patches/libp2p-yamux/late-frames.ts'
import { closeAfterGoAway } from '../patches/libp2p-yamux/session-end.ts'
import { boundUnreadAnswers } from '../patches/libp2p-yamux/unread-answers.ts'
import { updateWindowsSparingly } from '../patches/libp2p-yamux/window-updates.ts'
import { budgetStreams } from './new-streams.ts'
import type { Amendment } from '../patches/libp2p-yamux/amend.ts'
import type { YamuxMuxerInit } from '@chainsafe/libp2p-yamux'

/**
 * Streams that a remote may open before this side has set up the connection. Beyond libp2p's 10 the remote
 * would close the whole connection, for example if an application opens a dozen streams together.
 */
const MAX_EARLY_STREAMS = 256

/**
 * The most that a sender may send before it is read, in bytes. yamux lets its window grow to 16 MiB, but
 * libp2p aborts a stream when more than 4 MiB wait to be read (`DEFAULT_MAX_READ_BUFFER_LENGTH` of
 * `@libp2p/utils`). 4 MiB allow 160 Mbit/s at a round trip of 200 ms.
 */
const MAX_WINDOW_BYTES = 4 * 1024 * 1024

/** Makes the multiplexer. Use it in place of `yamux()`. */
export function muxer(init: YamuxMuxerInit = {}): ReturnType<typeof yamux> {
  const streamOptions = { maxStreamWindowSize: MAX_WINDOW_BYTES }
  return amended(yamux({ maxEarlyStreams: MAX_EARLY_STREAMS, streamOptions, ...init }), [
    dropLateFrames,
    boundUnreadAnswers,
    drainWhenSent,
    takeTurns,
    boundFrames,
    closeAfterGoAway,
    updateWindowsSparingly,
    joinUnreadPieces,
    ofStreams(passDirectly),
  ]) as ReturnType<typeof yamux>
}

/** Bounds what the frames of a remote cost. */
const boundFrames: Amendment = (muxer, connection) => {
  const budgets = new FrameBudgets()
  const streams = new IncomingStreams(budgets)
  const streamOf = streams.get.bind(streams)
  for (const amend of [
    earnFrames(budgets),
    streams.amend,
    handleInTurns({ maxWindowBytes: MAX_WINDOW_BYTES, budgets, newStreams: budgetStreams(muxer), streamOf }),
  ])
    amend(muxer, connection)
}
