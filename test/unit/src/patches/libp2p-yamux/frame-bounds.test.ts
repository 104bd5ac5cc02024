import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { boundFrames } from '../../../../../src/patches/libp2p-yamux/frame-bounds.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { header, muxerPair, openStream, withRemote } from './muxer-pair.ts'
import { amendMuxer, amendStream } from './stand-ins.ts'

const KIB = 1024
const MAX = 4 * KIB * KIB
const [DATA, SYN] = [0, 1]
const LIMIT = { timeout: 30_000 }

describe('@chainsafe/libp2p-yamux', LIMIT, () => {
  it('buffers a frame of any length, which is the fault', async () => {
    const { remote, connection, muxer } = withRemote([])
    remote.send(header({ type: DATA, flags: SYN, streamId: 1, length: 0xffffffff }))
    for (let sent = 0; sent < 32; sent++) remote.send(new Uint8Array(1024 * KIB))
    await until(() => muxer.decoder.buffer.byteLength > 32 * 1024 * KIB || connection.status !== 'open')
    assert.equal(connection.status, 'open')
  })
})

describe('a frame that is longer than the window of its stream', LIMIT, () => {
  for (const [what, flags, streamId, length] of [
    ['a new stream', SYN, 1, 256 * KIB + 1],
    ['no stream', 0, 99, MAX + 1],
    ['no stream, of 4 GiB', 0, 99, 0xffffffff],
  ] as const)
    it(`ends the connection as soon as it begins, for ${what}`, async () => {
      const { remote, connection } = withRemote([boundFrames(MAX)])
      remote.send(header({ type: DATA, flags, streamId, length }))
      await until(() => connection.status === 'aborted')
    })

  it('ends the connection, for a stream whose window is used up in part', async () => {
    const ends = muxerPair([boundFrames(MAX)])
    const [stream, there] = await openStream(ends)
    there.pause()
    stream.send(new Uint8Array(200 * KIB))
    await until(() => there.readBuffer.byteLength === 200 * KIB)
    const { connection } = ends[1]
    assert.equal(connection.status, 'open')
    ends[0].connection.send(header({ type: DATA, flags: 0, streamId: there.streamId, length: 57 * KIB }))
    await until(() => connection.status === 'aborted')
  })

  it('is not one that fits, though it comes piece by piece', async () => {
    const { remote, connection, muxer } = withRemote([boundFrames(MAX)])
    const bytes = 256 * KIB
    const frame = Buffer.concat([
      header({ type: DATA, flags: SYN, streamId: 1, length: bytes }),
      Buffer.alloc(bytes),
    ])
    for (let at = 0; at < frame.length; at += 5_000) remote.send(frame.subarray(at, at + 5_000))
    await until(() => muxer.streams[0]?.readBuffer.byteLength === bytes)
    assert.equal(connection.status, 'open')
  })
})

describe('boundFrames()', () => {
  const PACKAGE = '@chainsafe/libp2p-yamux'
  const amendment = boundFrames(MAX)
  const members = { streams: [], 'decoder.buffer': {}, 'decoder.readFrame': () => {} }
  refusesWithout(PACKAGE, members, muxer => amendMuxer(amendment, muxer))
  refusesWithout(PACKAGE, { streamId: 1, recvWindowCapacity: 1 }, stream => amendStream(amendment, stream))
})
