/**
 * A writer whose remote takes little at a time, over a real connection: what it has written and not sent stays in its
 * memory. See src/patches/libp2p-yamux/early-drain.ts.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import { muxer } from '../../src/muxer/muxer.ts'
import { FrameReader } from '../../src/patches/libp2p-yamux/frame-reader.ts'
import { inTime } from '../waits.ts'
import { bareMuxer } from './mux/bare-muxer.ts'
import { open, ping, windowUpdate } from './mux/frames.ts'
import type { Libp2p, MessageStream } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 60_000 }

/** A service that writes as much as it may. */
const SOURCE = '/test/source/1'
const CHUNK = new Uint8Array(64 * 1024)

/** Fewer than the budget of frames without data. */
const UPDATES = 1_000

const STREAM = 1
const PING = 2

type StreamMuxer = ReturnType<typeof yamux>

describe('a writer whose remote gives 1,000 windows of 16 bytes', LIMIT, () => {
  it('writes 64 KiB for each of them with @chainsafe/libp2p-yamux', async t => {
    assert.ok((await chunksFor(t, yamux())) > UPDATES / 2)
  })

  it('waits until what it has written is sent with the multiplexer of this project', async t => {
    // the first window of 256 KiB, and one chunk that waits
    const chunks = await chunksFor(t, muxer())
    assert.ok(chunks <= 6, `${chunks}`)
  })

  it('goes on when it is given a window for what it has written', async t => {
    const chunks = await chunksFor(t, muxer(), CHUNK.byteLength)
    assert.ok(chunks > UPDATES / 2, `${chunks}`)
  })
})

/** How many chunks a writer has written when it has had all windows. */
async function chunksFor(t: TestContext, streamMuxer: StreamMuxer, windowBytes = 16): Promise<number> {
  let chunks = 0
  const victim = await startNode(t, streamMuxer)
  await victim.handle(SOURCE, stream => {
    const write = (): void => {
      do chunks++
      while (stream.send(CHUNK))
    }
    stream.addEventListener('drain', write)
    write()
  })
  const connected = Promise.withResolvers<MessageStream>()
  const hostile = await startNode(t, bareMuxer(connected.resolve))
  await hostile.dial(victim.getMultiaddrs())
  const connection = await inTime(connected.promise, 'the connection is there')
  const answered = answerTo(connection, UPDATES)
  connection.send(open(STREAM, SOURCE))
  for (let n = 0; n < UPDATES; n++) {
    connection.send(windowUpdate(STREAM, windowBytes))
    // each in a message of its own, which the victim reads by itself
    await new Promise(resolve => setImmediate(resolve))
  }
  connection.send(ping(UPDATES))
  await inTime(answered, 'the victim has read all windows', 30_000)
  return chunks
}

/** Resolves with the answer to a ping. It is the last of what the victim sends, and the connection is read until then. */
async function answerTo(connection: MessageStream, number: number): Promise<void> {
  const answered = Promise.withResolvers<void>()
  const reader = new FrameReader({ onHeader: () => {}, onPartial: () => {} })
  connection.addEventListener('message', ({ data }) => {
    reader.push(data)
    for (let frame = reader.next(); frame !== undefined; frame = reader.next())
      if (frame.header.type === PING && frame.header.length === number) answered.resolve()
  })
  await answered.promise
}

async function startNode(t: TestContext, streamMuxer: unknown): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [streamMuxer as StreamMuxer],
    connectionMonitor: { enabled: false },
  })
  t.after(() => node.stop())
  return node
}
