/** Pings over a connection whose remote is written here. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UnsupportedProtocolError } from '@libp2p/interface'
import { PING_PROTOCOL } from '@libp2p/ping'
import { streamPair } from '@libp2p/utils'
import { awaitAnswer, ping } from '../../../../src/protocols/ping.ts'
import { proposalOf } from '../../../../src/protocols/optimistic-stream.ts'
import type { Connection, Stream, StreamMessageEvent } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 10_000 }
const PROPOSAL = proposalOf(PING_PROTOCOL)
const NOT_AVAILABLE = Buffer.from('\x13/multistream/1.0.0\n\x03na\n')

const echo = (bytes: Uint8Array): Uint8Array => bytes

interface Stage {
  connection: Connection
  /** The stream of this node. */
  local: Stream
}

/** A connection that opens one stream, and a remote that answers each message, unless it has no answer. */
async function stage(t: TestContext, answer: (bytes: Uint8Array) => Uint8Array | undefined): Promise<Stage> {
  const [local, remote] = await streamPair()
  t.after(() => local.abort(new Error('the test is over')))
  remote.addEventListener('message', ({ data }: StreamMessageEvent) => {
    const answered = answer(data.subarray())
    if (answered !== undefined && remote.status === 'open') remote.send(answered)
  })
  remote.addEventListener('remoteCloseWrite', () => void remote.close().catch(() => {}))
  const connection = { newStream: async () => local, muxer: { createStream: async () => local } }
  return { connection: connection as unknown as Connection, local }
}

/** A connection whose remote refuses ping, as it does to a stream that waits for the agreement. */
const refusing = {
  newStream: async () => {
    throw new UnsupportedProtocolError('no ping')
  },
} as unknown as Connection

describe('a ping', () => {
  for (const isOptimistic of [false, true]) {
    const kind = isOptimistic ? 'optimistic' : 'negotiated'

    test(`that is ${kind} measures the echo and closes its stream`, LIMIT, async t => {
      const { connection, local } = await stage(t, echo)
      const rttMs = await ping(connection, { signal: t.signal, isOptimistic })
      assert.ok(rttMs >= 0 && rttMs < LIMIT.timeout)
      assert.equal(local.writeStatus, 'closed')
    })

    test(`that is ${kind} fails when other bytes come back`, LIMIT, async t => {
      const { connection, local } = await stage(t, bytes =>
        bytes.byteLength === 32 ? bytes.map(it => it ^ 1) : bytes,
      )
      await assert.rejects(ping(connection, { signal: t.signal, isOptimistic }), /other bytes/)
      assert.equal(local.status, 'aborted')
    })

    test(`that is ${kind} ends with its signal`, LIMIT, async t => {
      const { connection, local } = await stage(t, () => undefined)
      const stop = new AbortController()
      const pinged = ping(connection, { signal: stop.signal, isOptimistic })
      stop.abort()
      await assert.rejects(pinged)
      assert.equal(local.status, 'aborted')
    })
  }

  test('sends its payload along with the proposal only when it is optimistic', LIMIT, async t => {
    for (const isOptimistic of [false, true]) {
      const seen: Buffer[] = []
      const { connection } = await stage(t, bytes => {
        seen.push(Buffer.from(bytes))
        return bytes
      })
      await ping(connection, { signal: t.signal, isOptimistic })
      const proposed = isOptimistic ? PROPOSAL.byteLength : 0
      const sent = Buffer.concat(seen)
      assert.equal(sent.byteLength, proposed + 32)
      assert.deepEqual(sent.subarray(0, proposed), PROPOSAL.subarray(0, proposed))
    }
  })

  test('fails when the remote does not speak ping', LIMIT, async t => {
    await assert.rejects(ping(refusing, { signal: t.signal }), { name: 'UnsupportedProtocolError' })
    const { connection } = await stage(t, () => NOT_AVAILABLE)
    const pinged = ping(connection, { signal: t.signal, isOptimistic: true })
    await assert.rejects(pinged, { name: 'UnsupportedProtocolError' })
  })
})

describe('an answer', () => {
  test('is a refusal of ping, too', LIMIT, async t => {
    await awaitAnswer(refusing, { signal: t.signal })
    const { connection } = await stage(t, () => NOT_AVAILABLE)
    await awaitAnswer(connection, { signal: t.signal, isOptimistic: true })
  })

  test('is not an echo of other bytes, nor an end of the connection', LIMIT, async t => {
    const wrong = await stage(t, bytes => bytes.map(it => it ^ 1))
    await assert.rejects(awaitAnswer(wrong.connection, { signal: t.signal }), /other bytes/)
    const gone = await stage(t, echo)
    gone.local.abort(new Error('gone'))
    await assert.rejects(awaitAnswer(gone.connection, { signal: t.signal }))
  })
})
