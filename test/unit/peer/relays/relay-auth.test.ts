/** Which tokens a peer shows, over which connections, and how often. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RelayAuth } from '../../../../peer/relays/relay-auth.ts'
import type { Connection } from '@libp2p/interface'

/** A connection that counts the streams that are opened on it: one for each token that is shown. Its relay takes no tokens. */
function connectionTo(): { connection: Connection; shown: () => number } {
  let streams = 0
  const newStream = async (): Promise<never> => {
    streams++
    throw Object.assign(new Error('no such protocol'), { name: 'UnsupportedProtocolError' })
  }
  const connection = { remotePeer: 'relay', newStream } as unknown as Connection
  return { connection, shown: () => streams }
}

const options = { signal: AbortSignal.timeout(10_000) }

describe('a token', () => {
  it('is shown once over a connection, and again when it was replaced', async () => {
    const auth = new RelayAuth('old', { has: () => true })
    const { connection, shown } = connectionTo()
    for (let i = 0; i < 3; i++) await auth.show(connection, options)
    assert.equal(shown(), 1)
    auth.replace('old')
    await auth.show(connection, options)
    assert.equal(shown(), 1)
    auth.replace('new')
    for (let i = 0; i < 3; i++) await auth.show(connection, options)
    assert.equal(shown(), 2)
  })

  it('is shown where there was none before, and no more where it was taken away', async () => {
    const auth = new RelayAuth(undefined, { has: () => true })
    const { connection, shown } = connectionTo()
    await auth.show(connection, options)
    assert.equal(shown(), 0)
    auth.replace('first')
    await auth.show(connection, options)
    auth.replace(undefined)
    await auth.show(connection, options)
    assert.equal(shown(), 1)
  })

  it('is not shown to relays that were not given with it, replaced or not', async () => {
    const auth = new RelayAuth('old', { has: () => false })
    const { connection, shown } = connectionTo()
    await auth.show(connection, options)
    auth.replace('new')
    await auth.show(connection, options)
    assert.equal(shown(), 0)
  })
})
