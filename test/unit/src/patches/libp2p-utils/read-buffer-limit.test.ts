import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { yamux } from '@chainsafe/libp2p-yamux'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { raiseReadBufferLimit } from '../../../../../src/patches/libp2p-utils/read-buffer-limit.ts'
import { openStream } from '../libp2p-yamux/muxer-pair.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import type { Stream } from '@libp2p/interface'
import type { End } from '../libp2p-yamux/muxer-pair.ts'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }

/** The largest window that yamux has: a remote may send as much to a stream that is paused. */
const WINDOW_BYTES = 16 * 1024 * 1024

describe('@libp2p/utils', LIMIT, () => {
  it('aborts a paused stream that holds less than a window, which is the fault', async t => {
    assert.equal(await statusWithFullWindow(t, () => {}), 'aborted')
  })
})

describe('raiseReadBufferLimit()', LIMIT, () => {
  it('lets a paused stream hold a whole window', async t => {
    assert.equal(await statusWithFullWindow(t, raiseReadBufferLimit), 'open')
  })

  it('lowers no limit', () => {
    const stream = { maxReadBufferLength: Infinity } as Stream
    raiseReadBufferLimit(stream)
    assert.equal(stream.maxReadBufferLength, Infinity)
  })

  refusesWithout('@libp2p/utils', { maxReadBufferLength: 1 }, raiseReadBufferLimit)
})

/** Sends a whole window to a stream that is paused. */
async function statusWithFullWindow(t: TestContext, patch: (stream: Stream) => void): Promise<string> {
  const ends = multiaddrConnectionPair().map(connection => ({ connection, muxer: muxerOf(connection) }))
  t.after(() => ends[0]!.connection.abort(new Error('the test is over')))
  const [stream, there] = await openStream(ends as [End, End])
  patch(there)
  there.pause()
  stream.send(new Uint8Array(WINDOW_BYTES))
  await until(() => there.status !== 'open' || there.readBuffer.byteLength === WINDOW_BYTES)
  return there.status
}

/** A multiplexer whose windows have their full size from the beginning. */
function muxerOf(connection: End['connection']): End['muxer'] {
  const streamOptions = { initialStreamWindowSize: WINDOW_BYTES }
  const factory = yamux({ enableKeepAlive: false, streamOptions })()
  return factory.createStreamMuxer(connection) as unknown as End['muxer']
}
