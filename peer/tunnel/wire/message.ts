/**
 * Reads and writes one length-prefixed message at the start of a stream that then carries something else.
 *
 * Invariant: no byte after the message is lost or interpreted. The stream comes back paused, with what
 * followed the message in its read buffer. `lpStream` of @libp2p/utils has neither property. It takes any
 * number of bytes 0xff as an unfinished length. It pushes back what it read too far afterwards, which throws
 * if the remote's end has arrived meanwhile.
 */
import { AbortError, InvalidMessageError, StreamResetError } from '@libp2p/interface'
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'

/**
 * Largest message body, in bytes. A request has about 100; 1 KiB leaves room for a secret and a session id.
 */
export const MAX_MESSAGE_BYTES = 1024

/** Lengths of a message and of its prefix, in bytes. */
interface Prefix {
  bodyBytes: number
  prefixBytes: number
}

/**
 * Prepends the length of a body, as an unsigned varint of one or two bytes.
 *
 * Spec: https://github.com/multiformats/unsigned-varint
 *
 * @throws {InvalidMessageError} if the body is empty or too long
 */
export function encodeMessage(body: Uint8Array): Uint8Array {
  if (body.byteLength === 0 || body.byteLength > MAX_MESSAGE_BYTES) {
    throw new InvalidMessageError(`A message has 1 to ${MAX_MESSAGE_BYTES} bytes, not ${body.byteLength}`)
  }
  const length = body.byteLength
  const prefix = length < 0x80 ? [length] : [(length & 0x7f) | 0x80, length >> 7]
  return Buffer.concat([Uint8Array.from(prefix), body])
}

/**
 * Reads the length prefix. Returns `undefined` while it is incomplete.
 *
 * @throws {InvalidMessageError} if it is zero, above `MAX_MESSAGE_BYTES` or not a minimal varint
 */
function decodePrefix(bytes: Uint8Array): Prefix | undefined {
  const [low, high] = bytes
  if (low === undefined) return undefined
  if (low < 0x80) {
    if (low === 0) throw new InvalidMessageError('The message is empty')
    return { bodyBytes: low, prefixBytes: 1 }
  }
  if (high === undefined) return undefined
  const bodyBytes = (low & 0x7f) | (high << 7)
  if (high >= 0x80 || bodyBytes > MAX_MESSAGE_BYTES) {
    throw new InvalidMessageError(`The message is longer than ${MAX_MESSAGE_BYTES} bytes`)
  }
  if (high === 0) throw new InvalidMessageError('The length of the message is not a minimal varint')
  return { bodyBytes, prefixBytes: 2 }
}

/**
 * Reads the message at the start of a stream. Leaves the stream paused, also on failure.
 *
 * Nothing else may listen for the stream's messages. When `signal` fires, reading stops and the stream stays
 * open. A stream that is closed already is read as far as possible.
 *
 * @throws {InvalidMessageError} if the message is oversized, empty or cut short by the stream's end
 * @throws {StreamResetError} or the stream's error, if the stream closes before the message is complete
 * @throws the reason of `signal`
 */
export function readMessage(stream: Stream, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
  const { signal } = options
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
  let received: Uint8Array = new Uint8Array()

  const stop = (): void => {
    stream.removeEventListener('message', onMessage)
    stream.removeEventListener('end', onEnd)
    stream.removeEventListener('close', onClose)
    signal?.removeEventListener('abort', onAbort)
    if (stream.readStatus === 'readable') stream.pause()
  }
  const fail = (error: Error): void => {
    stop()
    reject(error)
  }
  const onMessage = (event: StreamMessageEvent): void => {
    received = Buffer.concat([received, event.data.subarray()])
    try {
      const prefix = decodePrefix(received)
      const total = prefix === undefined ? Infinity : prefix.prefixBytes + prefix.bodyBytes
      if (prefix === undefined || received.byteLength < total) return
      // pausing and pushing back within the event ensures that the stream does not emit its end
      stop()
      if (received.byteLength > total) stream.unshift(received.subarray(total))
      resolve(received.subarray(prefix.prefixBytes, total))
    } catch (error) {
      fail(error as Error)
    }
  }
  // what arrived before the stream was closed can still be read
  const isClosed = stream.status !== 'open'
  const onEnd = (): void => {
    // the 'end' of a stream that was cut precedes its 'close', which has the reason
    if (stream.status !== 'open' && !isClosed) return
    fail(new InvalidMessageError(`The stream ended after ${received.byteLength} bytes of a message`))
  }
  const onClose = (event: StreamCloseEvent): void => fail(event.error ?? new StreamResetError())
  const onAbort = (): void => fail(signal?.reason instanceof Error ? signal.reason : new AbortError())

  stream.addEventListener('message', onMessage)
  stream.addEventListener('end', onEnd)
  stream.addEventListener('close', onClose)
  signal?.addEventListener('abort', onAbort)
  if (signal?.aborted) onAbort()
  else if (isClosed && stream.readBufferLength === 0) fail(new StreamResetError())
  else if (stream.readableEnded) onEnd()
  return promise
}
