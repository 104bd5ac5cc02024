/** When a proof that fails says that full packets do not get through, and when it says nothing. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { LossyPaths } from '../../../../../src/holepunch/paths/lossy-paths.ts'
import { isProved, losesFullPackets, proveOrAbort } from '../../../../../src/holepunch/paths/proof.ts'
import type { Connection } from '@libp2p/interface'

const LIMIT = { timeout: 10_000 }

/** Longer than a proof may be unanswered before the path is to blame. */
const LATE_MS = 3_000

const remotePeer = peerIdFromString('12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw')
const remoteAddr = multiaddr('/ip4/11.0.0.1/tcp/1')

/** A connection that answers nothing, and fails after a time. */
function failingAfter(ms: number): Connection {
  const connection = {
    remotePeer,
    remoteAddr,
    status: 'open',
    muxer: {
      createStream: async () => {
        await pause(ms)
        connection.status = 'aborted'
        throw new Error('reset by the other side')
      },
    },
    abort: () => {
      connection.status = 'aborted'
    },
  }
  return connection as unknown as Connection
}

async function outcomeOf(
  connection: Connection,
  signal?: AbortSignal,
): Promise<{ lossy: boolean; error: Error }> {
  const lossyPaths = new LossyPaths()
  const error = await proveOrAbort(connection, lossyPaths, { signal }).then(
    () => assert.fail('it proved itself'),
    (failure: Error) => failure,
  )
  assert.equal(isProved(connection), false)
  return { lossy: lossyPaths.has(remotePeer, remoteAddr), error }
}

describe('a connection that does not prove itself', { concurrency: true }, () => {
  it('is no fault of the path when the other side ends it soon', LIMIT, async () => {
    const connection = failingAfter(10)
    const { lossy, error } = await outcomeOf(connection)
    assert.equal(lossy, false)
    assert.equal(losesFullPackets(connection), false)
    assert.match(error.message, /reset by the other side/)
  })

  it('is one when the other side ends it after full packets have long been unanswered', LIMIT, async () => {
    const connection = failingAfter(LATE_MS)
    const { lossy, error } = await outcomeOf(connection)
    assert.equal(lossy, true)
    assert.equal(losesFullPackets(connection), true)
    assert.match(error.message, /loses large packets/)
  })

  it('is none when this side stops meanwhile', LIMIT, async () => {
    const stop = new AbortController()
    setTimeout(() => stop.abort(new Error('this node stops')), LATE_MS - 100)
    const { lossy } = await outcomeOf(failingAfter(LATE_MS), stop.signal)
    assert.equal(lossy, false)
  })
})
