/**
 * Throws away what a multiplexer sends after its connection has ended.
 *
 * Fault of `@chainsafe/libp2p-yamux` 8.0.1: it sends the first frame of a new stream in a microtask
 * (muxer.ts, `onCreateStream`). If the connection has ended by then, `send` throws where nobody catches it,
 * and the process ends: a relay could make any of its peers crash, by breaking a circuit on which that peer
 * begins a stream. The streams learn from the connection itself that it is over.
 *
 * Upstream issue: not reported. https://github.com/libp2p/js-libp2p/issues/3512 was the same for frames that
 * wait for the connection to have room again; @libp2p/utils 7.2.1 has mended that.
 */

import { shapeCheck } from '../expect-shape.ts'
import type { Stream } from '@libp2p/interface'
import type { Amendment } from './amend.ts'

const assertShape = shapeCheck('@chainsafe/libp2p-yamux', { send: 'function' })
const assertConnectionShape = shapeCheck('@libp2p/utils', { writeStatus: 'string' })

export const dropLateFrames: Amendment = (muxer, connection) => {
  assertShape(muxer)
  assertConnectionShape(connection)
  const send = muxer.send.bind(muxer)
  const hasEnded = (): boolean => {
    const { writeStatus } = connection as typeof connection & Pick<Stream, 'writeStatus'>
    return writeStatus === 'closed' || writeStatus === 'closing'
  }
  muxer.send = frame => hasEnded() || send(frame)
}
