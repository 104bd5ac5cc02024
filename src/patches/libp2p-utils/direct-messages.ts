/**
 * Passes a message on without a detour through the buffers of a stream, when nothing waits in them.
 *
 * Fault of `@libp2p/utils` 7.4.1: each message is appended to a buffer, taken out of it as a list, copied to another
 * list, and followed by an event `idle` (abstract-message-stream.ts, `send`, `processSendQueue`, `onData`,
 * `dispatchReadBuffer`). A message of a tunnel passes four such streams at each end, and for a small one that is a
 * tenth of its processor time.
 *
 * Upstream issue: not reported.
 */

import { StreamMessageEvent } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { shapeCheck } from '../expect-shape.ts'
import type { MessageStream } from '@libp2p/interface'
import type { SendResult } from '@libp2p/utils'

type Bytes = Uint8Array | Uint8ArrayList

/** The members that the patch needs. */
interface Internals extends Omit<MessageStream, 'onData' | 'writableNeedsDrain'> {
  readonly readStatus: string
  readonly writeStatus: string
  readonly remoteWriteStatus: string
  readonly readBuffer: Uint8ArrayList
  readonly writeBuffer: Uint8ArrayList
  readonly maxMessageSize?: number
  writableNeedsDrain: boolean
  sendingData: boolean
  sendData(data: Uint8ArrayList): SendResult
  onData(data: Bytes): void
  processSendQueue(): boolean
  dispatchReadBuffer(): void
  checkWriteBufferLength(): void
  safeDispatchEvent(type: string): boolean
  listenerCount(type: string): number
}

const assertShape = shapeCheck('@libp2p/utils', {
  readStatus: 'string',
  writeStatus: 'string',
  remoteWriteStatus: 'string',
  readBuffer: 'object',
  writeBuffer: 'object',
  writableNeedsDrain: 'boolean',
  sendingData: 'boolean',
  send: 'function',
  sendData: 'function',
  onData: 'function',
  processSendQueue: 'function',
  dispatchReadBuffer: 'function',
  checkWriteBufferLength: 'function',
  safeDispatchEvent: 'function',
  listenerCount: 'function',
})

/** Patches a stream, or a connection. @throws {UpstreamChangedError} */
export function passDirectly<Stream extends object>(stream: Stream): Stream {
  assertShape(stream)
  const internals = stream as unknown as Internals
  const send = internals.send.bind(internals)
  internals.send = data => (canSend(internals, data) ? sendNow(internals, data) : send(data))
  const onData = internals.onData.bind(internals)
  internals.onData = data => (canDispatch(internals, data) ? dispatchNow(internals, data) : onData(data))
  return stream
}

function canSend(stream: Internals, data: Bytes): boolean {
  return (
    stream.writeStatus === 'writable' &&
    !stream.writableNeedsDrain &&
    !stream.sendingData &&
    stream.writeBuffer.byteLength === 0 &&
    stream.maxMessageSize === undefined &&
    data.byteLength > 0
  )
}

function sendNow(stream: Internals, data: Bytes): boolean {
  stream.sendingData = true
  let result: SendResult
  try {
    // the list is used up by some streams, and belongs to the caller
    result = stream.sendData(new Uint8ArrayList(data))
  } catch (error) {
    stream.abort(error as Error)
    throw error
  } finally {
    stream.sendingData = false
  }
  const { sentBytes, canSendMore } = result
  if (sentBytes < data.byteLength) stream.writeBuffer.prepend(data.subarray(sentBytes))
  if (!canSendMore) {
    stream.writableNeedsDrain = true
    stream.checkWriteBufferLength()
  } else if (stream.writeBuffer.byteLength > 0) {
    return stream.processSendQueue()
  }
  // a close that began meanwhile waits for it
  if (stream.writeBuffer.byteLength === 0 && stream.listenerCount('idle') > 0)
    stream.safeDispatchEvent('idle')
  return canSendMore
}

function canDispatch(stream: Internals, data: Bytes): boolean {
  return (
    stream.readStatus === 'readable' &&
    stream.remoteWriteStatus === 'writable' &&
    stream.readBuffer.byteLength === 0 &&
    data.byteLength > 0 &&
    stream.listenerCount('message') > 0
  )
}

function dispatchNow(stream: Internals, data: Bytes): void {
  stream.dispatchEvent(new StreamMessageEvent(data))
  // for what came in meanwhile, and the end
  if (stream.remoteWriteStatus !== 'writable') stream.dispatchReadBuffer()
}
