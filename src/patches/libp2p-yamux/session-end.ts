/**
 * Closes the connection when the remote has ended the session.
 *
 * Fault of `@chainsafe/libp2p-yamux` 8.0.1: it closes the streams (muxer.ts, `handleGoAway`) and leaves the
 * connection open, on which no stream can be opened any more. It goes on reading frames, makes streams for
 * those that open one, and answers each further end of the session. go-yamux and rust-yamux close the
 * connection after they have sent such a frame.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import type { MessageStream } from '@libp2p/interface'
import type { Amendment } from './amend.ts'

/** Time to send what the connection holds, in milliseconds: as long as libp2p gives connections when it stops. */
const CLOSE_MS = 500

/** The reason of an end without an error (https://github.com/hashicorp/yamux/blob/master/spec.md). */
const NORMAL = 0

const assertShape = shapeCheck('@chainsafe/libp2p-yamux', {
  status: 'string',
  handleGoAway: 'function',
})
const assertConnectionShape = shapeCheck('@libp2p/utils', { close: 'function', abort: 'function' })

export const closeAfterGoAway: Amendment = (muxer, connection) => {
  assertShape(muxer)
  assertConnectionShape(connection)
  const handleGoAway = muxer.handleGoAway.bind(muxer)
  muxer.handleGoAway = reason => {
    if (muxer.status === 'closed') return
    if (reason === NORMAL) {
      handleGoAway(reason)
      void close(connection)
    } else connection.abort(new Error(`The remote has ended the session with the reason ${reason}`))
  }
}

async function close(connection: MessageStream): Promise<void> {
  try {
    await (connection as MessageStream & Closable).close({ signal: AbortSignal.timeout(CLOSE_MS) })
  } catch (error) {
    connection.abort(error as Error)
  }
}

/** What all connections have, though the interface does not say so. */
interface Closable {
  close(options: { signal: AbortSignal }): Promise<void>
}
