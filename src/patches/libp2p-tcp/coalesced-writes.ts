/**
 * Sends what one turn of the event loop writes to a socket in as few packets as possible.
 *
 * Fault of `@libp2p/tcp` 11.0.28: it writes each part of a message by itself (socket-to-conn.ts, `sendData`),
 * and noise puts a length of 2 bytes before each of its messages, so that a handshake and the first streams
 * take some 30 packets. A new TCP connection may have 10 in flight (RFC 6928); the rest waits a round trip,
 * which is one of the five that a punched connection needs to prove itself. Each part also costs a system
 * call, and time in Node's streams.
 *
 * A message does not wait for the others: what the first turn of an iteration of the event loop writes leaves at
 * the end of that turn, and the rest with the iteration.
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

/** The parts of messages up to this size, in bytes, are joined: to copy them costs less than to write each. */
const JOINED_BYTES = 4 * 1024

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
  let hasFlushed = false
  const flush = (): void => {
    if (!isCorked) return
    isCorked = false
    socket.uncork()
  }
  const flushFirst = (): void => {
    hasFlushed = true
    flush()
    setImmediate(() => {
      hasFlushed = false
      flush()
    })
  }
  internals.sendData = data => {
    if (!isCorked) {
      isCorked = true
      socket.cork()
      if (!hasFlushed) afterTurn(flushFirst)
    }
    return sendData(data.byteLength > JOINED_BYTES ? data : new Uint8ArrayList(data.subarray()))
  }
  return connection
}
