import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NoPeerStore } from '../../../../../src/patches/libp2p/no-peer-store.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { openStream, startNode } from './node.ts'
import type { PeerId } from '@libp2p/interface'
import type { TestContext } from 'node:test'
import type { Components } from './node.ts'

const LIMIT = { timeout: 30_000 }

const patch = (components: Components): NoPeerStore => new NoPeerStore(components)

describe('libp2p', LIMIT, () => {
  it('notes a remote that opens a stream, which is the fault', async t => {
    assert.deepEqual(await notedAfterStreams(t, () => {}), { self: true, remote: true })
  })
})

describe('NoPeerStore', LIMIT, () => {
  it('notes what the node says of itself, and no remote, whichever side opens a stream', async t => {
    assert.deepEqual(await notedAfterStreams(t, patch), { self: true, remote: false })
  })

  it('answers with a peer of which only the id is known', async t => {
    const [{ components }, { node }] = [await startNode(t, patch), await startNode(t)]
    for (const method of ['merge', 'patch'] as const) {
      const peer = await components.peerStore[method](node.peerId, { protocols: ['/test/1'] })
      assert.deepEqual([peer.id, peer.protocols, peer.addresses], [node.peerId, [], []])
    }
  })

  const members = { merge: () => {}, patch: () => {} }
  refusesWithout('libp2p', members, peerStore => new NoPeerStore({ peerId: {} as PeerId, peerStore }))
})

/** Whom a node has noted when a remote has opened a stream to it, and it has opened one to the remote. */
async function notedAfterStreams(
  t: TestContext,
  service: (components: Components) => unknown,
): Promise<{ self: boolean; remote: boolean }> {
  const [{ node }, { node: remote }] = [await startNode(t, service), await startNode(t)]
  await openStream(remote, node)
  await openStream(node, remote)
  const { peerStore } = node
  return { self: await peerStore.has(node.peerId), remote: await peerStore.has(remote.peerId) }
}
