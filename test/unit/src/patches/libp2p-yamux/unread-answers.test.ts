import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { drainWhenSent } from '../../../../../src/patches/libp2p-yamux/early-drain.ts'
import { boundUnreadAnswers } from '../../../../../src/patches/libp2p-yamux/unread-answers.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { header, withRemote } from './muxer-pair.ts'
import { amendConnection, amendMuxer, amendStream } from './stand-ins.ts'
import type { MultiaddrConnection, Stream } from '@libp2p/interface'
import type { Yamux } from '../../../../../src/patches/libp2p-yamux/internals.ts'

const LIMIT = { timeout: 30_000 }
const [WINDOW_UPDATE, PING] = [1, 2]
const SYN = 1

/** Fills a connection, so that everything waits that is sent. */
function fill(connection: MultiaddrConnection): void {
  ;(connection as unknown as { sendData: () => object }).sendData = () => ({
    sentBytes: 0,
    canSendMore: false,
  })
  connection.send(Uint8Array.of(0))
  assert.equal(connection.writableNeedsDrain, true)
}

const pings = (count: number): Uint8Array =>
  Buffer.concat(
    Array.from({ length: count }, () => header({ type: PING, flags: SYN, streamId: 0, length: 1 })),
  )

const ANSWER_BYTES = 10_000

/** Opens a stream from afar, on which this side sends some data. */
async function answered(remote: MultiaddrConnection, muxer: Yamux): Promise<Stream> {
  const arrived = Promise.withResolvers<Stream>()
  muxer.addEventListener('stream', ({ detail }) => {
    detail.send(new Uint8Array(ANSWER_BYTES))
    arrived.resolve(detail)
  })
  remote.send(header({ type: WINDOW_UPDATE, flags: SYN, streamId: 1, length: 0 }))
  return arrived.promise
}

describe('@chainsafe/libp2p-yamux', LIMIT, () => {
  it('keeps any number of answers for a remote that does not read, which is the fault', async () => {
    const { remote, connection } = withRemote([])
    fill(connection)
    remote.send(pings(50_000))
    await until(() => connection.writeBufferLength > 50_000 * 12)
    assert.equal(connection.status, 'open')
  })

  it('sends data of a stream that begins while the connection is full, which is the fault', async () => {
    const { remote, connection, muxer } = withRemote([])
    fill(connection)
    await answered(remote, muxer)
    assert.ok(connection.writeBufferLength > ANSWER_BYTES)
  })
})

describe('a connection whose remote does not read', LIMIT, () => {
  it('ends when too many answers wait', async () => {
    const { remote, connection } = withRemote([boundUnreadAnswers])
    fill(connection)
    remote.send(pings(50_000))
    await until(() => connection.status === 'aborted')
  })

  it('stays while 8,192 of them wait', async () => {
    const { remote, connection } = withRemote([boundUnreadAnswers])
    fill(connection)
    remote.send(pings(8_192))
    await until(() => connection.writeBufferLength >= 8_192 * 12)
    assert.equal(connection.status, 'open')
  })

  it('keeps no data of a stream that begins meanwhile, and sends it later', async () => {
    const { remote, connection, muxer } = withRemote([boundUnreadAnswers, drainWhenSent])
    fill(connection)
    const stream = await answered(remote, muxer)
    assert.ok(connection.writeBufferLength < ANSWER_BYTES)
    delete (connection as unknown as { sendData?: unknown }).sendData
    connection.dispatchEvent(new Event('drain'))
    await until(() => stream.writeBufferLength === 0)
  })
})

describe('boundUnreadAnswers', () => {
  const members = { send: () => true, _newStream: () => {} }
  refusesWithout('@chainsafe/libp2p-yamux', members, muxer => amendMuxer(boundUnreadAnswers, muxer))
  refusesWithout('@libp2p/utils', { onMuxerNeedsDrain: () => {} }, stream =>
    amendStream(boundUnreadAnswers, stream),
  )
  refusesWithout('@libp2p/utils', { writableNeedsDrain: false }, connection =>
    amendConnection(boundUnreadAnswers, connection),
  )
})
