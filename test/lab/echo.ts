/** A protocol to carry data with: everything comes back as it was sent. */

import { createHash } from 'node:crypto'
import type { Stream } from '@libp2p/interface'

export const ECHO_PROTOCOL = '/lab/echo/1'

/** Answers one stream. */
export async function echo(stream: Stream): Promise<void> {
  for await (const data of stream) if (!stream.send(data)) await drained(stream)
  await stream.close()
}

/**
 * Sends `data` in pieces and checks that the same comes back, byte for byte. `onSent` is told after each piece, and is
 * waited for.
 */
export async function exchange(
  stream: Stream,
  data: Buffer,
  signal: AbortSignal,
  onSent: (bytes: number) => Promise<void> = async () => {},
): Promise<void> {
  signal.addEventListener('abort', () => stream.abort(new Error('the echo took too long')))
  const back = createHash('sha256')
  const receiving = (async () => {
    for await (const chunk of stream) back.update(chunk.subarray())
  })()
  for (let at = 0; at < data.length; at += 65_536) {
    if (!stream.send(data.subarray(at, at + 65_536))) await drained(stream)
    await onSent(Math.min(at + 65_536, data.length))
  }
  await stream.close()
  await receiving
  if (back.digest('hex') !== createHash('sha256').update(data).digest('hex'))
    throw new Error('the echo differs')
}

async function drained(stream: Stream): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  stream.addEventListener('drain', () => resolve(), { once: true })
  stream.addEventListener('close', () => reject(new Error('the stream was closed')), { once: true })
  await promise
}
