/** Streams that are written to before the remote has agreed. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { streamPair } from '@libp2p/utils'
import { openOptimisticStream } from '../../../../src/protocols/optimistic-stream.ts'
import { once } from '../../../waits.ts'
import type { Connection, Stream, StreamMessageEvent } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 10_000 }
const PROTOCOL = '/test/1'

function line(text: string): Buffer {
  return Buffer.from(`${String.fromCharCode(text.length + 1)}${text}\n`)
}

const agreement = Buffer.concat([line('/multistream/1.0.0'), line(PROTOCOL)])

/** The stream of this node, and the remote's end of it. */
async function open(t: TestContext): Promise<{ stream: Stream; remote: Stream }> {
  const [local, remote] = await streamPair()
  t.after(() => local.abort(new Error('the test is over')))
  const connection = { muxer: { createStream: async () => local } } as unknown as Connection
  return { stream: await openOptimisticStream(connection, PROTOCOL), remote }
}

/** The first `length` bytes that arrive. */
async function read(stream: Stream, length: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  let received = Buffer.alloc(0)
  stream.addEventListener('message', (event: StreamMessageEvent) => {
    received = Buffer.concat([received, event.data.subarray()])
    if (received.byteLength >= length) resolve(received.toString())
  })
  return promise
}

describe('an optimistic stream', () => {
  test('sends negotiation and data before the remote has said a word', LIMIT, async t => {
    const { stream, remote } = await open(t)
    stream.send(Buffer.from('early'))
    assert.equal(stream.protocol, PROTOCOL)
    assert.equal(await read(remote, agreement.byteLength + 5), `${agreement.toString()}early`)
  })

  test('hides the agreement from its reader', LIMIT, async t => {
    const { stream, remote } = await open(t)
    const text = read(stream, 5)
    remote.send(agreement)
    remote.send(Buffer.from('hello'))
    assert.equal(await text, 'hello')
  })

  test('passes on data that comes with the agreement', LIMIT, async t => {
    const { stream, remote } = await open(t)
    const text = read(stream, 5)
    remote.send(Buffer.concat([agreement, Buffer.from('hello')]))
    assert.equal(await text, 'hello')
  })

  test('takes the agreement in single bytes, and loses none behind it', LIMIT, async t => {
    const { stream, remote } = await open(t)
    const text = read(stream, 5)
    for (const byte of Buffer.concat([agreement, Buffer.from('hello')])) remote.send(Buffer.of(byte))
    assert.equal(await text, 'hello')
  })

  test('keeps data for a reader that comes later', LIMIT, async t => {
    const { stream, remote } = await open(t)
    const sent = once(remote as never, 'idle', { signal: t.signal })
    remote.send(Buffer.concat([agreement, Buffer.from('hello')]))
    await sent
    assert.equal(await read(stream, 5), 'hello')
  })

  const refusals: ReadonlyArray<[string, Buffer]> = [
    ['says na', Buffer.concat([line('/multistream/1.0.0'), line('na')])],
    ['agrees on another protocol', Buffer.concat([line('/multistream/1.0.0'), line('/test/2')])],
    ['speaks another negotiation', line('/multistream/2.0.0')],
    ['sends garbage', Buffer.from('HTTP/1.1 400 Bad Request')],
  ]
  for (const [what, answer] of refusals) {
    for (const inPieces of [false, true]) {
      test(
        `is aborted with UnsupportedProtocolError when the remote ${what}${inPieces ? ', byte by byte' : ''}`,
        LIMIT,
        async t => {
          const { stream, remote } = await open(t)
          const closed = once(stream as never, 'close', { signal: t.signal })
          let received = 0
          stream.addEventListener('message', ({ data }) => (received += data.byteLength))
          for (const piece of inPieces ? [...answer].map(byte => Buffer.of(byte)) : [answer])
            if (remote.writeStatus === 'writable') remote.send(piece)
          const [event] = (await closed) as [Event & { error?: Error }]
          assert.equal(event.error?.name, 'UnsupportedProtocolError')
          assert.match(event.error.message, /\/test\/1/)
          assert.equal(received, 0)
        },
      )
    }
  }
})

test('a connection whose muxer cannot be reached is reported as a change of libp2p', async () => {
  await assert.rejects(openOptimisticStream({} as Connection, PROTOCOL), {
    name: 'UpstreamChangedError',
    packageName: 'libp2p',
    missing: ['muxer.createStream'],
  })
})
