/**
 * Sends what one turn of the event loop writes to a socket in as few packets as possible.
 *
 * Fault of `@libp2p/tcp` 11.0.28: it writes each part of a message by itself (socket-to-conn.ts, `sendData`),
 * and noise puts a length of 2 bytes before each of its messages, so that a handshake and the first streams
 * take some 30 packets. A new TCP connection may have 10 in flight (RFC 6928); the rest waits a round trip,
 * which is one of the five that a punched connection needs to prove itself. Each part also costs a system
 * call, and time in Node's streams.
 *
 * A small message does not wait for others: what the first turn of an iteration of the event loop writes leaves at
 * the end of that turn, if it is little. The rest leaves at the end of the iteration.
 *
 * Upstream issue: https://github.com/ChainSafe/js-libp2p-noise/pull/387 joined the length and the message.
 * That was lost when noise stopped copying messages (js-libp2p-noise 391).
 */

import { Uint8ArrayList } from 'uint8arraylist'
import { shapeCheck } from '../expect-shape.ts'
import { afterTurn } from '../../time/after-turn.ts'
import type { MultiaddrConnection } from '@libp2p/interface'
import type { Socket } from 'node:net'

/** The private members that the patch needs. */
interface TcpInternals {
  socket: Socket
  sendData: (data: Uint8ArrayList) => unknown
}

/**
 * What is small, in bytes. The parts of such a message are joined: to copy them costs less than to write each. More
 * in one turn is part of a transfer, for which fewer writes count more than time.
 */
const SMALL_BYTES = 4 * 1024

const assertShape = shapeCheck('@libp2p/tcp', {
  socket: 'object',
  'socket.cork': 'function',
  'socket.uncork': 'function',
  sendData: 'function',
})

/** Makes a connection of `@libp2p/tcp` coalesce its writes. @throws {UpstreamChangedError} */
export function coalesceWrites<Connection extends MultiaddrConnection>(connection: Connection): Connection {
  assertShape(connection)
  const internals = connection as unknown as TcpInternals
  const { socket } = internals
  const sendData = internals.sendData.bind(connection)
  let isCorked = false
  let corkedBytes = 0
  let isTurnOver = false
  const flush = (): void => {
    if (!isCorked) return
    isCorked = false
    corkedBytes = 0
    socket.uncork()
  }
  const endIteration = (): void => {
    isTurnOver = false
    flush()
  }
  const endTurn = (): void => {
    if (corkedBytes <= SMALL_BYTES) flush()
    isTurnOver = true
    setImmediate(endIteration)
  }
  internals.sendData = data => {
    if (!isCorked) {
      isCorked = true
      socket.cork()
      if (!isTurnOver) afterTurn(endTurn)
    }
    corkedBytes += data.byteLength
    return sendData(data.byteLength > SMALL_BYTES ? data : new Uint8ArrayList(data.subarray()))
  }
  return connection
}
