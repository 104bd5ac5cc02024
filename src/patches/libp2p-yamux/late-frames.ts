/**
 * Throws away what a multiplexer sends after its connection has ended.
 *
 * @chainsafe/libp2p-yamux 8.0.1 sends the first frame of a new stream in a microtask (`onCreateStream`), and frames of streams when the connection has room again. If the
 * connection has ended by then, `send` throws where nobody catches it, and the process ends: a relay could have any peer of its crash, by breaking a circuit on which that
 * peer begins a stream. The streams learn from the connection itself that it is over.
 * test/network/upstream-faults.test.ts tells when it is mended.
 */

import { shapeCheck } from '../expect-shape.ts'
import type { Stream } from '@libp2p/interface'
import type { Amendment } from './amend.ts'

const assertShape = shapeCheck('@libp2p/utils', { writeStatus: 'string' })

export const dropLateFrames: Amendment = (muxer, connection) => {
  assertShape(connection)
  const send = muxer.send.bind(muxer)
  const hasEnded = (): boolean => {
    const { writeStatus } = connection as typeof connection & Pick<Stream, 'writeStatus'>
    return writeStatus === 'closed' || writeStatus === 'closing'
  }
  muxer.send = frame => hasEnded() || send(frame)
}
