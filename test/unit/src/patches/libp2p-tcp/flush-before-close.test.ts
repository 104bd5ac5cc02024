import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { tcp as stockTcp } from '@libp2p/tcp'
import { Accepted } from '../../../../../src/patches/libp2p-tcp/flush-before-close.ts'
import { tcp } from '../../../../../src/transport/shared-port-tcp.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { lastWords } from './last-words.ts'

const LIMIT = { timeout: 30_000 }
const MIB = 1024 * 1024

describe('@libp2p/tcp', LIMIT, () => {
  it('destroys connections with unsent bytes when their listener is closed, which is the fault', async () => {
    assert.ok((await lastWords(stockTcp(), 16 * MIB)) < 16 * MIB)
  })
})

describe('a connection that was accepted', LIMIT, () => {
  it('sends what it has been given in the turn in which its listener is closed', async () => {
    assert.equal(await lastWords(tcp(), 1), 1)
  })

  it('sends more than the kernel takes at a time', async () => {
    assert.equal(await lastWords(tcp(), 16 * MIB), 16 * MIB)
  })
})

describe('add()', () => {
  const members = { close: () => {}, addEventListener: () => {} }
  refusesWithout('@libp2p/tcp', members, connection => new Accepted().add(connection))
})

describe('closeBefore()', () => {
  refusesWithout('@libp2p/tcp', { close: () => {} }, listener => new Accepted().closeBefore(listener))
})
