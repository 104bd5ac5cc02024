/** A connection that is full after each frame, with streams that always have something to send. */

import { multiaddrConnectionPair } from '@libp2p/utils'
import { inTime } from '../../../../waits.ts'
import type { Stream, StreamMuxerFactory } from '@libp2p/interface'

const STREAMS = 5
const CHUNK = new Uint8Array(16 * 1024)
const TOTAL = 100 * CHUNK.byteLength

/** Resolves with the part that each stream had of what was sent, in the order in which they were opened. */
export async function sharesOf(factory: StreamMuxerFactory): Promise<number[]> {
  const [outbound, inbound] = multiaddrConnectionPair()
  const muxer = factory.createStreamMuxer(outbound)
  factory.createStreamMuxer(inbound).addEventListener('stream', ({ detail }) => {
    // windows are updated as long as somebody reads
    detail.addEventListener('message', () => {})
  })
  const streams: Stream[] = []
  while (streams.length < STREAMS) streams.push(await muxer.createStream())
  const send = outbound.send.bind(outbound)
  outbound.send = frame => {
    send(frame)
    return false
  }
  const sent = streams.map(() => 0)
  const sum = (): number => sent.reduce((total, bytes) => total + bytes, 0)
  const isThrough = Promise.withResolvers<void>()
  for (const [index, stream] of streams.entries()) {
    const fill = (): void => {
      if (sum() >= TOTAL) isThrough.resolve()
      else if (!stream.writableNeedsDrain) {
        sent[index]! += CHUNK.byteLength
        stream.send(CHUNK)
      }
    }
    // the stream itself sends what it had to keep first
    stream.addEventListener('drain', () => queueMicrotask(() => queueMicrotask(fill)))
    fill()
  }
  const drains = setInterval(() => outbound.dispatchEvent(new Event('drain')))
  try {
    await inTime(isThrough.promise, 'the connection takes everything')
  } finally {
    clearInterval(drains)
  }
  outbound.abort(new Error('the test is over'))
  return sent.map(bytes => bytes / sum())
}
