import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { yamux } from '@chainsafe/libp2p-yamux'
import { defaultLogger } from '@libp2p/logger'
import { amended } from '../../../../../src/patches/libp2p-yamux/amend.ts'
import { takeTurns } from '../../../../../src/patches/libp2p-yamux/fair-turns.ts'
import { sharesOf } from './full-connection.ts'

describe('the streams of a full connection', () => {
  it('take turns, whichever was opened first', async () => {
    const shares = await sharesOf(amended(yamux(), [takeTurns])({ logger: defaultLogger() }))
    assert.ok(Math.min(...shares) > 0.5 / shares.length, String(shares))
  })
})
