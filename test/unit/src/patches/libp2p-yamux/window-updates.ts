/** How many window updates it takes to receive something. */

import { muxerPair, openStream } from './muxer-pair.ts'
import { until } from '../until.ts'
import type { Amendment } from '../../../../../src/patches/libp2p-yamux/amend.ts'

const CHUNK = new Uint8Array(32 * 1024)
const WINDOW_UPDATE = 1

/** Sends so many bytes in pieces of 32 KiB, and resolves with the number of window updates that came back. */
export async function updatesFor(bytes: number, amendments: readonly Amendment[]): Promise<number> {
  const ends = muxerPair(amendments)
  const [stream, there] = await openStream(ends)
  let received = 0
  there.addEventListener('message', ({ data }) => (received += data.byteLength))
  let updates = 0
  const send = ends[1].connection.send.bind(ends[1].connection)
  ends[1].connection.send = frame => {
    if (frame.subarray(1, 2)[0] === WINDOW_UPDATE) updates++
    return send(frame)
  }
  for (let sent = CHUNK.byteLength; sent <= bytes; sent += CHUNK.byteLength) {
    stream.send(CHUNK)
    await until(() => received === sent)
  }
  return updates
}
