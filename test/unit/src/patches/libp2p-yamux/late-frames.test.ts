import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { muxerPair } from './muxer-pair.ts'
import { dropLateFrames } from '../../../../../src/patches/libp2p-yamux/late-frames.ts'
import { once } from '../../../../waits.ts'
import type { Stream } from '@libp2p/interface'

describe('a multiplexer', () => {
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
