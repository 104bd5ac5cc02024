import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { noteProtocolsOnce } from '../../../../../src/patches/libp2p/repeated-protocols.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { openStream, startNode } from './node.ts'
import type { PeerData, PeerId, PeerStore } from '@libp2p/interface'
import type { TestContext } from 'node:test'

const LIMIT = { timeout: 30_000 }
const PROTOCOL = '/test/2'

describe('libp2p', LIMIT, () => {
  it('notes the protocol of each new stream, which is the fault', async t => {
    const { notes, open } = await stage(t)
    const before = notes.length
    for (let n = 0; n < 3; n++) await open()
    assert.ok(notes.length >= before + 3, `${notes.length - before}`)
  })
})

describe('noteProtocolsOnce', LIMIT, () => {
  it('notes a protocol once, and resolves with the same peer', async t => {
    const { notes, peerStore, remote, open } = await stage(t)
    noteProtocolsOnce(peerStore)
    await open()
    const before = notes.length
    for (let n = 0; n < 3; n++) await open()
    assert.equal(notes.length, before)
    const stored = await peerStore.get(remote)
    assert.deepEqual(await peerStore.merge(remote, { protocols: stored.protocols }), stored)
    assert.equal(notes.length, before)
  })

  const others: Readonly<Record<string, PeerData>> = {
    'another protocol': { protocols: [PROTOCOL, '/test/3'] },
    'anything else beside it': { protocols: [PROTOCOL], metadata: { a: Buffer.of(1) } },
    'nothing of protocols': { metadata: { a: Buffer.of(1) } },
  }
  for (const [what, data] of Object.entries(others))
    it(`notes ${what}`, async t => {
      const { notes, peerStore, remote } = await stage(t)
      noteProtocolsOnce(peerStore)
      await peerStore.merge(remote, { protocols: [PROTOCOL] })
      const before = notes.length
      await peerStore.merge(remote, data)
      assert.equal(notes.length, before + 1)
    })

  it('notes a protocol again that identify has removed', async t => {
    const { peerStore, remote } = await stage(t)
    noteProtocolsOnce(peerStore)
    await peerStore.merge(remote, { protocols: [PROTOCOL] })
    await peerStore.patch(remote, { protocols: ['/test/3'] })
    await peerStore.merge(remote, { protocols: [PROTOCOL] })
    assert.deepEqual((await peerStore.get(remote)).protocols, [PROTOCOL, '/test/3'])
  })

  it('notes a peer again that has been forgotten', async t => {
    const { peerStore, remote } = await stage(t)
    noteProtocolsOnce(peerStore)
    await peerStore.merge(remote, { protocols: [PROTOCOL] })
    await peerStore.delete(remote)
    await peerStore.merge(remote, { protocols: [PROTOCOL] })
    assert.deepEqual((await peerStore.get(remote)).protocols, [PROTOCOL])
  })

  const members = { save: () => {}, merge: () => {}, patch: () => {}, delete: () => {} }
  refusesWithout('libp2p', members, noteProtocolsOnce)
})

/** A node whose notes are counted, and a remote that it opens streams to. */
async function stage(t: TestContext): Promise<{
  notes: PeerData[]
  peerStore: PeerStore
  remote: PeerId
  open: () => Promise<void>
}> {
  const notes: PeerData[] = []
  const { node, components } = await startNode(t, ({ peerStore }) => {
    const merge = peerStore.merge.bind(peerStore)
    peerStore.merge = async (id, data, options) => {
      if (!id.equals(components.peerId)) notes.push(data)
      return merge(id, data, options)
    }
  })
  const { node: remote } = await startNode(t)
  const open = async (): Promise<void> => openStream(node, remote)
  return { notes, peerStore: components.peerStore, remote: remote.peerId, open }
}
