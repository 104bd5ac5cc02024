/**
 * Tells the remote of a stream what it may send once half the window is used, as other implementations do (go-yamux stream.go `sendWindowUpdate`), or 1 MiB of it.
 *
 * @chainsafe/libp2p-yamux 8.0.1 does so for each frame that comes in: another frame, encrypted and sent by itself, for every 64 KiB. It cost a relay with one circuit a third of its
 * processor time (docs/benchmarks.md).
 * test/network/upstream-faults.test.ts tells when it is mended.
 */

import { StreamState } from '@chainsafe/libp2p-yamux/stream'
import { ofStreams } from './amend.ts'
import type { Amendment } from './amend.ts'

/** A window update that opens a stream, or answers to that, has another meaning; while a stream is paused there is none anyway. */
const OTHERS: ReadonlySet<StreamState> = new Set([
  StreamState.Init,
  StreamState.SYNReceived,
  StreamState.Paused,
])

/** So that of the largest window, 4 MiB, three quarters go on being of use on a long way. */
const LARGEST_STEP_BYTES = 1024 * 1024

export const updateWindowsSparingly: Amendment = ofStreams(stream => {
  const update = stream.sendWindowUpdate.bind(stream)
  stream.sendWindowUpdate = () => {
    const used = stream.recvWindow - stream.recvWindowCapacity
    if (OTHERS.has(stream.state) || used >= Math.min(stream.recvWindow / 2, LARGEST_STEP_BYTES)) update()
  }
})
