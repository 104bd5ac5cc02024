/** Turns of upgrades to one peer. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { PeerQueue } from '../../../../src/holepunch/peer-queue.ts'
import type { PeerId } from '@libp2p/interface'

async function newPeerId(): Promise<PeerId> {
  return peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
}

/** Everything that can settle without input has settled. */
const idle = async (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('turns with one peer come one after the other, in the order they were asked for', async () => {
  const turns = new PeerQueue()
  const peerId = await newPeerId()
  const begun: number[] = []
  const ends: Array<() => void> = []
  for (const n of [1, 2, 3]) {
    void turns.take(peerId).then(end => {
      begun.push(n)
      ends.push(end)
    })
  }
  await idle()
  assert.deepEqual(begun, [1])
  ends[0]?.()
  await idle()
  assert.deepEqual(begun, [1, 2])
  ends[1]?.()
  await idle()
  assert.deepEqual(begun, [1, 2, 3])
})

test('turns with different peers do not wait for each other', async () => {
  const turns = new PeerQueue()
  await turns.take(await newPeerId())
  await turns.take(await newPeerId())
})

test('a turn can be taken again after all have ended, and ending one twice is harmless', async () => {
  const turns = new PeerQueue()
  const peerId = await newPeerId()
  for (let n = 0; n < 3; n++) {
    const end = await turns.take(peerId)
    end()
    end()
  }
})

test('ending a turn twice does not let two in at once', async () => {
  const turns = new PeerQueue()
  const peerId = await newPeerId()
  const endFirst = await turns.take(peerId)
  const second = turns.take(peerId)
  endFirst()
  await second
  let hasBegun = false
  void turns.take(peerId).then(() => (hasBegun = true))
  endFirst()
  await idle()
  assert.equal(hasBegun, false)
})
