/**
 * A program with a hostile multiplexer: libp2p up to there, then frames by hand. It dials the victim, or
 * listens for it, and does what its parent says over IPC.
 */

import { noise } from '@chainsafe/libp2p-noise'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { setImmediate as turn } from 'node:timers/promises'
import { FLOODS, idsOf, isInMessages, MESSAGE_BYTES, open, SINK } from './frames.ts'
import { bareMuxer } from './bare-muxer.ts'
import type { MessageStream } from '@libp2p/interface'
import type { Ids } from './frames.ts'

/** What the parent asks for. */
export interface Orders {
  /** The victim's address; without one the program listens. */
  dial?: string
  /** Breaks the connection. */
  leave?: true
  flood?: { name: string; bytes: number; isReading: boolean }
}

/** What the program reports. */
export interface Report {
  /** Where it listens. */
  listening?: string
  /** The connection is there, with an open stream. */
  ready?: true
  /** All was sent, or the victim has ended the connection. */
  sent?: true
}

const LARGE_BYTES = 64 * 1024
const report = (what: Report): void => void process.send?.(what)

let connection: MessageStream | undefined
let ids: Ids

const bare = bareMuxer(stream => {
  connection = stream
  ids = idsOf(stream.direction === 'outbound' ? 'dialer' : 'listener')
  let text = ''
  stream.addEventListener('message', ({ data }) => {
    if (text.includes(SINK)) return
    text += Buffer.from(data.subarray()).toString('latin1')
    if (text.includes(SINK)) report({ ready: true })
  })
  stream.send(open(ids.sink, SINK))
})

const node = await createLibp2p({
  addresses: { listen: process.argv[2] === 'listen' ? ['/ip4/127.0.0.1/tcp/0'] : [] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [bare],
  // libp2p takes 5 a second of one address
  connectionManager: { inboundConnectionThreshold: Infinity },
})
report({ listening: String(node.getMultiaddrs()[0]) })

process.on('message', ({ dial, leave, flood: order }: Orders) => {
  if (leave === true) connection?.abort(new Error('leaves'))
  if (dial !== undefined) void node.dial(multiaddr(dial))
  if (order !== undefined) void flood(order).catch(() => report({ sent: true }))
})
process.on('disconnect', () => process.exit())

/** The encrypted connection of `@chainsafe/libp2p-noise`, and the one beneath it. */
interface Secured {
  readonly handshake: { encrypt(message: Uint8Array): { subarray(): Uint8Array } }
  readonly stream: MessageStream
}

/** Encrypts each piece by itself, and sends all of them together. */
function sendMessages({ handshake, stream }: Secured, pieces: readonly Buffer[]): boolean {
  const messages = pieces.flatMap(piece => {
    const message = handshake.encrypt(piece).subarray()
    return [Buffer.of(message.byteLength >> 8, message.byteLength & 255), message]
  })
  return stream.send(Buffer.concat(messages))
}

async function drained(encrypted: MessageStream, name: string): Promise<void> {
  const full = isInMessages(name) ? (encrypted as unknown as Secured).stream : encrypted
  await full.onDrain().catch(() => {})
}

async function flood({ name, bytes, isReading }: NonNullable<Orders['flood']>): Promise<void> {
  const make = FLOODS[name]
  if (make === undefined || connection === undefined) throw new Error(`no flood ${name}`)
  if (!isReading) connection.pause()
  let sent = 0
  for (let n = 0; sent < bytes && connection.status === 'open'; ) {
    const frames: Buffer[] = []
    let size = 0
    do {
      const next = make(ids, n++)
      frames.push(next)
      size += next.byteLength + (isInMessages(name) ? MESSAGE_BYTES : 0)
    } while (size < LARGE_BYTES && sent + size < bytes)
    sent += size
    const hasRoom = isInMessages(name)
      ? sendMessages(connection as unknown as Secured, frames)
      : connection.send(Buffer.concat(frames))
    if (!hasRoom) await drained(connection, name)
    else await turn()
  }
  report({ sent: true })
}
