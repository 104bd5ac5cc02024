import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { yamux } from '@chainsafe/libp2p-yamux'
import { defaultLogger } from '@libp2p/logger'
import { amended } from '../../../../../src/patches/libp2p-yamux/amend.ts'
import { takeTurns } from '../../../../../src/patches/libp2p-yamux/fair-turns.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { sharesOf } from './full-connection.ts'
import { amendMuxer, amendStream } from './stand-ins.ts'

const LIMIT = { timeout: 30_000 }

describe('the streams of a full connection', LIMIT, () => {
  it('wait for the first one in @libp2p/utils, which is the fault', async () => {
    const shares = await sharesOf(amended(yamux(), [])({ logger: defaultLogger() }))
    assert.deepEqual(shares, [1, 0, 0, 0, 0])
  })

  it('take turns, whichever was opened first', async () => {
    const shares = await sharesOf(amended(yamux(), [takeTurns])({ logger: defaultLogger() }))
    assert.ok(Math.min(...shares) > 0.5 / shares.length, String(shares))
  })
})

describe('takeTurns', () => {
  const members = { streams: [], send: () => true }
  refusesWithout('@libp2p/utils', members, muxer => amendMuxer(takeTurns, muxer))
  refusesWithout('@chainsafe/libp2p-yamux', { _newStream: () => {} }, (muxer: object) =>
    amendMuxer(takeTurns, Object.assign(muxer, members) as never),
  )
  refusesWithout('@chainsafe/libp2p-yamux', { streamId: 1 }, stream => amendStream(takeTurns, stream))
})
