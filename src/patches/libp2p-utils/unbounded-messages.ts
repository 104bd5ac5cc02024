/**
 * Bounds the messages that libp2p's own services read from a stream: identify's answer, and those of
 * circuit-relay v2.
 *
 * Fault of `@libp2p/utils` 7.4.1: `lpStream` decodes the length of a message again for each byte that arrives,
 * with an exception, and accepts any number of bytes (stream-utils.ts). `@libp2p/identify` and
 * `@libp2p/circuit-relay-v2` read by it and cannot be given a decoder. So a decoder stands before them: it
 * decodes each length once, in constant time, and passes on whole messages.
 *
 * Upstream issue: not reported.
 */

import { InvalidMessageError, StreamMessageEvent } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { lengthDecoder } from '../../protocols/message-bounds.ts'
import { shapeCheck } from '../expect-shape.ts'
import type { MessageStream, Stream } from '@libp2p/interface'
import type { LengthDecoder } from '../../protocols/message-bounds.ts'

/** The messages at the beginning of a stream. What follows them is passed on as it comes. */
interface MessagesInit {
  /** Longest message, in bytes. */
  maxBytes: number
  count: number
}

/**
 * What libp2p's services read, by protocol and by the direction of the stream. Identify messages have up to
 * 32 KiB (see src/protocols/identify/read.ts); `@libp2p/identify` reads ten of them. A relay's answer may have all
 * addresses of its host (see peer/relays/reservations/request.ts).
 */
const READERS: Readonly<Record<Stream['direction'], Readonly<Record<string, MessagesInit>>>> = {
  outbound: {
    '/ipfs/id/1.0.0': { maxBytes: 32 * 1024, count: 10 },
    '/libp2p/circuit/relay/0.2.0/hop': { maxBytes: 16_383, count: 1 },
  },
  inbound: {
    '/ipfs/id/push/1.0.0': { maxBytes: 32 * 1024, count: 10 },
    '/libp2p/circuit/relay/0.2.0/stop': { maxBytes: 4096, count: 1 },
  },
}

const assertShape = shapeCheck('@libp2p/utils', { addEventListener: 'function', readBuffer: 'object' })

/** Bounds a stream, if it is one that libp2p's own services read. @throws {UpstreamChangedError} */
export function boundStockReader(stream: Stream): void {
  const reader = READERS[stream.direction][stream.protocol]
  if (reader !== undefined) boundMessages(stream, reader)
}

/**
 * Lets the next reader of a stream have whole messages only. Aborts the stream when a length is longer than it
 * may be.
 *
 * @throws {UpstreamChangedError}
 */
export function boundMessages(stream: MessageStream, init: MessagesInit): void {
  assertShape(stream)
  const addEventListener = stream.addEventListener.bind(stream) as (...args: unknown[]) => void
  // not sooner than the reader: what is buffered is emitted to the first that listens
  stream.addEventListener = (...args: unknown[]) => {
    if (args[0] === 'message') {
      delete (stream as Partial<MessageStream>).addEventListener
      stream.addEventListener('message', messageJoiner(stream, init))
    }
    addEventListener(...args)
  }
}

/** Returns a listener that keeps what comes from those after it, and emits it again in whole messages. */
function messageJoiner(stream: MessageStream, init: MessagesInit): (event: StreamMessageEvent) => void {
  const decode = lengthDecoder(init.maxBytes)
  const received = new Uint8ArrayList()
  let left = init.count
  let emitted: Event | undefined

  const next = (): Uint8ArrayList | undefined => {
    const length = lengthOf(received, decode, init.maxBytes)
    if (length === undefined || received.byteLength < length) return undefined
    const message = received.sublist(0, length)
    received.consume(length)
    return message
  }
  const onMessage = (event: StreamMessageEvent): void => {
    if (event === emitted) return
    event.stopImmediatePropagation()
    received.append(event.data)
    try {
      for (let message = next(); message !== undefined; message = next()) {
        if (--left === 0) {
          stream.removeEventListener('message', onMessage)
          message.append(received)
        }
        emitted = new StreamMessageEvent(message)
        stream.dispatchEvent(emitted)
        if (left === 0) return
      }
    } catch (error) {
      stream.removeEventListener('message', onMessage)
      stream.abort(error as Error)
    }
  }
  return onMessage
}

/** The bytes of the first message with its length. Undefined while the length has not ended. */
function lengthOf(received: Uint8ArrayList, decode: LengthDecoder, maxBytes: number): number | undefined {
  if (received.byteLength === 0) return undefined
  let length: number
  try {
    length = decode(received)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
  if (length > maxBytes) throw new InvalidMessageError(`A message of ${length} bytes, of ${maxBytes} at most`)
  return length + (length < 2 ** 7 ? 1 : length < 2 ** 14 ? 2 : 3)
}
