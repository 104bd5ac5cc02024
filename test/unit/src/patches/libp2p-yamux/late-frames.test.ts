import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { dropLateFrames } from '../../../../../src/patches/libp2p-yamux/late-frames.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { muxerPair } from './muxer-pair.ts'
import { amendMuxer } from './stand-ins.ts'
import type { Stream } from '@libp2p/interface'

const LIMIT = { timeout: 30_000 }

describe('@chainsafe/libp2p-yamux', LIMIT, () => {
  it('ends the process when a connection ends in the moment in which a stream begins, which is the fault', () => {
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', LATE_FRAME], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    })
    assert.equal(status, 1)
    assert.match(stderr, /StreamStateError: Cannot write to a stream that is closing/)
  })
})

const LATE_FRAME = `
  import { yamux } from '@chainsafe/libp2p-yamux'
  import { defaultLogger } from '@libp2p/logger'
  import { multiaddrConnectionPair } from '@libp2p/utils'
  const [connection] = multiaddrConnectionPair()
  const muxer = yamux()({ logger: defaultLogger() }).createStreamMuxer(connection)
  void muxer.createStream()
  void connection.close()
`

describe('a multiplexer', LIMIT, () => {
  it('survives the end of its connection in the moment in which a stream begins', async () => {
    const [{ connection, muxer }] = muxerPair([dropLateFrames])
    const beginning = muxer.createStream()
    // an error that nobody catches would end this test
    await connection.close()
    const stream = await beginning
    assert.notEqual(stream.status, 'open')
  })

  it('survives a stream that writes when its connection has ended', async () => {
    const [{ connection, muxer }] = muxerPair([dropLateFrames])
    const stream = await muxer.createStream()
    connection.abort(new Error('it ends'))
    assert.throws(() => stream.send(Uint8Array.of(1)), { name: 'StreamStateError' })
  })

  it('carries everything while the connection is open', async () => {
    const [here, there] = muxerPair([dropLateFrames])
    const arrived = Promise.withResolvers<Stream>()
    there.muxer.addEventListener('stream', ({ detail }) => arrived.resolve(detail))
    const stream = await here.muxer.createStream()
    stream.send(Uint8Array.of(1, 2, 3))
    const [message] = (await once((await arrived.promise) as unknown as EventTarget, 'message')) as [
      { data: { subarray(): Uint8Array } },
    ]
    assert.deepEqual([...message.data.subarray()], [1, 2, 3])
    here.connection.abort(new Error('the test is over'))
  })
})

describe('dropLateFrames', () => {
  refusesWithout('@chainsafe/libp2p-yamux', { send: () => true }, muxer => amendMuxer(dropLateFrames, muxer))
  refusesWithout('@libp2p/utils', { writeStatus: 'writable' }, (connection: object) =>
    dropLateFrames({ send: () => true } as never, connection as never),
  )
})
