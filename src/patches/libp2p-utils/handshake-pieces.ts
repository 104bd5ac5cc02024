/**
 * Bounds in how many pieces the handshake of a connection may come.
 *
 * Fault of `@libp2p/utils` 7.4.1: `byteStream` keeps what it waits for in the pieces in which it came
 * (stream-utils.ts), and `uint8arraylist` 3.0.2 takes them from the front of an array one by one, each of which
 * moves all others (index.ts, `consume`). A message of 64 KiB in pieces of a byte takes 4 s in one turn of the
 * event loop, and 13 MB. A stranger sends such pieces as messages of a WebSocket, or as TCP segments.
 *
 * Upstream issue: not reported.
 */

import { InvalidMessageError } from '@libp2p/interface'
import { shapeCheck } from '../expect-shape.ts'
import type { MessageStream } from '@libp2p/interface'

/**
 * Pieces that a handshake may come in, with the streams that are opened together with it. It has some 1.5 KiB, which
 * come in ten pieces, and in one for each byte at the worst.
 */
const MAX_PIECES = 2_048

interface Internals {
  onData: (data: unknown) => void
}

const assertShape = shapeCheck('@libp2p/utils', { onData: 'function', abort: 'function' })

/**
 * Runs the upgrade of a socket. Aborts the socket if too many pieces come before the upgrade has ended.
 *
 * @throws {UpstreamChangedError}
 */
export async function upgradeInFewPieces<T>(socket: MessageStream, upgrade: () => Promise<T>): Promise<T> {
  assertShape(socket)
  const internals = socket as unknown as Internals
  const onData = internals.onData.bind(socket)
  let left = MAX_PIECES
  internals.onData = data => {
    if (left-- > 0) onData(data)
    else if (socket.status === 'open')
      socket.abort(new InvalidMessageError(`A handshake has come in more than ${MAX_PIECES} pieces`))
  }
  try {
    return await upgrade()
  } finally {
    left = Infinity
  }
}
