import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { closeAfterGoAway } from '../../../../../src/patches/libp2p-yamux/session-end.ts'
import { until } from '../until.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { header, muxerPair, openStream, withRemote } from './muxer-pair.ts'
import { amendConnection, amendMuxer } from './stand-ins.ts'

const LIMIT = { timeout: 30_000 }

const goAway = (reason: number): Uint8Array => header({ type: 3, flags: 0, streamId: 0, length: reason })

describe('@chainsafe/libp2p-yamux', LIMIT, () => {
  it('leaves the connection open when the remote has ended the session, which is the fault', async () => {
    const { remote, connection, muxer } = withRemote([])
    remote.send(goAway(0))
    await until(() => muxer.status === 'closed')
    assert.equal(connection.status, 'open')
  })
})

describe('a connection is closed when the remote has ended the session', LIMIT, () => {
  for (const [what, reason] of [
    ['without an error', 0],
    ['for an error of the protocol', 1],
    ['for an error of its own', 2],
    ['for no known reason', 0xffff_ffff],
  ] as const)
    it(what, async () => {
      const { remote, connection, muxer } = withRemote([closeAfterGoAway])
      remote.send(goAway(reason))
      await until(() => connection.status !== 'open' && connection.status !== 'closing')
      assert.equal(muxer.status, 'closed')
    })

  it('with streams, which end', async () => {
    const ends = muxerPair([closeAfterGoAway])
    const [, there] = await openStream(ends)
    ends[0].connection.send(goAway(0))
    await until(() => there.status !== 'open')
    await until(() => ends[1].connection.status === 'closed')
  })

  it('and answers no further end', async () => {
    const { remote, connection } = withRemote([closeAfterGoAway])
    let answered = 0
    remote.addEventListener('message', ({ data }) => (answered += data.byteLength))
    remote.send(Buffer.concat(Array.from({ length: 1000 }, () => goAway(0))))
    await until(() => connection.status === 'closed')
    assert.equal(answered, 0)
  })
})

describe('closeAfterGoAway', () => {
  const members = { status: 'open', handleGoAway: () => {} }
  refusesWithout('@chainsafe/libp2p-yamux', members, muxer => amendMuxer(closeAfterGoAway, muxer))
  const closable = { close: () => {}, abort: () => {} }
  refusesWithout('@libp2p/utils', closable, connection => amendConnection(closeAfterGoAway, connection))
})
