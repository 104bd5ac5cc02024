/**
 * Tells the remote of a stream that it may send more once half the window is used, or 1 MiB of it. Other
 * implementations do the same (go-yamux stream.go, `sendWindowUpdate`).
 *
 * Fault of `@chainsafe/libp2p-yamux` 8.0.1: it sends a window update for each frame that comes in (stream.ts,
 * `handleData`): another frame, encrypted and sent by itself, for every 64 KiB. It cost a relay with one
 * circuit a third of its processor time (docs/benchmarks.md).
 *
 * Upstream issue: not reported.
 */

import { StreamState } from '@chainsafe/libp2p-yamux/stream'
import { shapeCheck } from '../expect-shape.ts'
import { ofStreams } from './amend.ts'
import type { Amendment } from './amend.ts'

/**
 * A window update that opens a stream, or answers to that, has another meaning; while a stream is paused
 * there is none anyway.
 */
const OTHERS: ReadonlySet<StreamState> = new Set([
  StreamState.Init,
  StreamState.SYNReceived,
  StreamState.Paused,
])

/** So that of the largest window, 4 MiB, three quarters go on being of use on a long way. */
const LARGEST_STEP_BYTES = 1024 * 1024

const assertShape = shapeCheck('@chainsafe/libp2p-yamux', {
  state: 'number',
  recvWindow: 'number',
  recvWindowCapacity: 'number',
  sendWindowUpdate: 'function',
})

export const updateWindowsSparingly: Amendment = ofStreams(stream => {
  assertShape(stream)
  const update = stream.sendWindowUpdate.bind(stream)
  stream.sendWindowUpdate = () => {
    const used = stream.recvWindow - stream.recvWindowCapacity
    if (OTHERS.has(stream.state) || used >= Math.min(stream.recvWindow / 2, LARGEST_STEP_BYTES)) update()
  }
})
