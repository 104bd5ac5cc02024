/**
 * Lets the writer of a stream go on when all that it has written is on its way.
 *
 * Fault of `@chainsafe/libp2p-yamux` 8.0.1: it dispatches `drain` for each window update that leaves room for
 * a byte (stream.ts, `handleWindowUpdate`), also while the connection is full. The writer then writes as much
 * as it always does, some 64 KiB, of which one byte is sent. A remote that does not read, or gives little
 * windows, makes a writer fill the memory: 12 bytes for each 64 KiB.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import { ofStreams } from './amend.ts'
import type { Amendment } from './amend.ts'

const assertShape = shapeCheck('@libp2p/utils', {
  safeDispatchEvent: 'function',
  processSendQueue: 'function',
  writableNeedsDrain: 'boolean',
  writeBufferLength: 'number',
})
const assertConnectionShape = shapeCheck('@libp2p/utils', { writableNeedsDrain: 'boolean' })

export const drainWhenSent: Amendment = (muxer, connection) => {
  assertConnectionShape(connection)
  ofStreams(stream => {
    assertShape(stream)
    const dispatch = stream.safeDispatchEvent.bind(stream)
    stream.safeDispatchEvent = (type, ...init) => {
      if (type !== 'drain') return dispatch(type, ...init)
      // when the connection has room again, each of its streams is asked to go on
      if (connection.writableNeedsDrain) return false
      stream.writableNeedsDrain = false
      stream.processSendQueue()
      return stream.writeBufferLength === 0 && dispatch(type, ...init)
    }
  })(muxer, connection)
}
