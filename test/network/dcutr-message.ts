/** Messages of DCUtR as they go over the wire, and a hostile node that sends them: written by hand, byte by byte. */

import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Stream, StreamMessageEvent } from '@libp2p/interface'

export const CONNECT = 100
export const SYNC = 300

/** A message: protobuf with its length before it. */
export function message(type: number, addrs: readonly string[] = []): Buffer<ArrayBuffer> {
  const parts = [Buffer.concat([Buffer.of(0x08), varint(type)])]
  for (const addr of addrs) {
    const { bytes } = multiaddr(addr)
    parts.push(Buffer.of(0x12), varint(bytes.length), Buffer.from(bytes))
  }
  const body = Buffer.concat(parts)
  return Buffer.concat([varint(body.length), body])
}

/** A number as protobuf writes it, below 2^14. */
function varint(value: number): Buffer<ArrayBuffer> {
  return value < 128 ? Buffer.of(value) : Buffer.concat([Buffer.of((value & 127) | 128), varint(value >> 7)])
}

/** Resolves with the first message that comes in on a stream; rejects if the stream ends before. */
export async function readMessage(stream: Stream): Promise<{ type: number; addrs: Multiaddr[] }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ type: number; addrs: Multiaddr[] }>()
  let received = Buffer.alloc(0)
  stream.addEventListener('message', (event: StreamMessageEvent) => {
    received = Buffer.concat([received, event.data.subarray()])
    const [length, start] = readVarint(received, 0)
    if (received.byteLength >= start + length) resolve(parse(received.subarray(start, start + length)))
  })
  stream.addEventListener('close', () => reject(new Error('the stream ended before a message')))
  return promise
}

function parse(body: Buffer): { type: number; addrs: Multiaddr[] } {
  let type = 0
  const addrs: Multiaddr[] = []
  for (let at = 0; at < body.byteLength; ) {
    const [tag, start] = readVarint(body, at)
    const [value, next] = readVarint(body, start)
    const isVarint = (tag & 7) === 0
    if (tag === 0x08) type = value
    if (tag === 0x12) addrs.push(multiaddr(body.subarray(next, next + value)))
    // other fields are skipped
    at = isVarint ? next : next + value
  }
  return { type, addrs }
}

/** The number that begins at an offset, and where it ends. */
function readVarint(bytes: Buffer, at: number): [value: number, next: number] {
  const low = bytes[at] ?? 0
  if (low < 128) return [low, at + 1]
  const [high, next] = readVarint(bytes, at + 1)
  return [(high << 7) | (low & 127), next]
}
