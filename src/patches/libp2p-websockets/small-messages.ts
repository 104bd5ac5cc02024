/**
 * Joins the messages of a WebSocket that come together, and ends one whose remote sends little in many frames.
 *
 * Fault of `@libp2p/websockets` 10.1.21: it passes each message on by itself (websocket-to-conn.ts), which takes
 * three times as long as to read its frame, and leaves a piece behind for each (libp2p-utils/handshake-pieces.ts).
 * `ws` answers any number of pings. 1 MiB of messages of a byte takes 500 ms and more.
 *
 * Upstream issue: not reported.
 */

import { Uint8ArrayList } from 'uint8arraylist'
import { shapeCheck } from '../expect-shape.ts'
import type { MultiaddrConnection } from '@libp2p/interface'

/**
 * The average size of a message, in bytes. js-libp2p sends the smallest message of Noise in four parts, each in a
 * message of its own: the length, the header and a byte of a stream, and the tag; 31 bytes together.
 */
const AVERAGE_BYTES = 7

/** Messages of any size that a remote may send before that, pings among them. */
const FREE_MESSAGES = 1_024

/** Messages from this size on, in bytes, are not copied to join them with others. */
const LARGE_BYTES = 1024

/** Counts the messages of one WebSocket, its pings and pongs included. */
export class MessageBudget {
  readonly #end: () => void
  #messages = 0
  #bytes = 0

  /** @param end - ends the WebSocket; may be called again */
  constructor(end: () => void) {
    this.#end = end
  }

  /** False if the WebSocket has been ended. */
  note(bytes: number): boolean {
    this.#messages++
    this.#bytes += bytes
    if (this.#messages <= FREE_MESSAGES + this.#bytes / AVERAGE_BYTES) return true
    this.#end()
    return false
  }
}

interface Internals {
  onData: (data: Uint8Array | Uint8ArrayList) => void
  onRemoteReset: () => void
  onTransportClosed: () => void
}

const assertShape = shapeCheck('@libp2p/utils', {
  onData: 'function',
  onRemoteReset: 'function',
  onTransportClosed: 'function',
})

/** Patches one connection. @throws {UpstreamChangedError} */
export function joinMessages(connection: MultiaddrConnection, budget: MessageBudget): void {
  assertShape(connection)
  const internals = connection as unknown as Internals
  const onData = internals.onData.bind(connection)
  const waiting: Uint8Array[] = []
  const deliver = (): void => {
    if (waiting.length > 0) onData(joined(waiting.splice(0)))
  }
  internals.onData = data => {
    if (!budget.note(data.byteLength)) return
    // `ws` emits all messages that it has read in one go
    if (waiting.push(data.subarray()) === 1) queueMicrotask(deliver)
  }
  for (const name of ['onRemoteReset', 'onTransportClosed'] as const) {
    const close = internals[name].bind(connection)
    internals[name] = () => {
      deliver()
      close()
    }
  }
}

/** The same bytes in fewer pieces. */
function joined(pieces: readonly Uint8Array[]): Uint8ArrayList {
  const list = new Uint8ArrayList()
  let small: Uint8Array[] = []
  const flush = (): void => {
    if (small.length > 0) list.append(small.length === 1 ? small[0]! : Buffer.concat(small))
    small = []
  }
  for (const piece of pieces) {
    if (piece.byteLength < LARGE_BYTES) {
      small.push(piece)
      continue
    }
    flush()
    list.append(piece)
  }
  flush()
  return list
}
