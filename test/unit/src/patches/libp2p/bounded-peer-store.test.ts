import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { openStorage } from '../../../../../peer/node/storage.ts'
import {
  BoundedPeerStore,
  MAX_BYTES,
  MAX_PEERS,
} from '../../../../../src/patches/libp2p/bounded-peer-store.ts'
import { refusesWithout } from '../upstream-changed.ts'
import { openStream, startNode } from './node.ts'
import type { PeerData, PeerId, PeerStore } from '@libp2p/interface'
import type { Libp2pOptions } from 'libp2p'
import type { TestContext } from 'node:test'
import type { Components } from './node.ts'

const LIMIT = { timeout: 60_000 }
const SURPLUS = 200

type Records = NonNullable<Libp2pOptions['datastore']>

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

const newIds = async (count: number): Promise<PeerId[]> =>
  Promise.all(numbers(count).map(async () => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))))

/** What a stranger can say of itself in identify, one field at a time, and all together. */
const addresses = numbers(600).map(n => ({
  isCertified: false,
  multiaddr: multiaddr(`/ip4/11.0.${n >> 8}.${n & 255}/tcp/4001`),
}))
const fat: Readonly<Record<string, PeerData>> = {
  'many addresses': { addresses },
  'many multiaddrs': { multiaddrs: addresses.map(it => it.multiaddr) },
  'one long address': { multiaddrs: [multiaddr(`/dns4/${'a'.repeat(8_000)}/tcp/1`)] },
  'many protocols': { protocols: numbers(2_000).map(n => `/p/${n}`) },
  'protocols of nothing': { protocols: numbers(2_000).map(n => String.fromCodePoint(0x4e00 + n)) },
  'one long protocol': { protocols: ['x'.repeat(8_000)] },
  'a long agent': { metadata: { AgentVersion: Buffer.alloc(8_000, 'x') } },
  'much metadata': { metadata: new Map(numbers(500).map(n => [`key ${n}`, Buffer.alloc(20)])) },
  'signed addresses': { peerRecordEnvelope: Buffer.alloc(8_000) },
}
const all: PeerData = {
  ...fat['many addresses'],
  ...fat['many protocols'],
  ...fat['a long agent'],
  ...fat['signed addresses'],
}

/** The records, with what they take: all but that of the node itself. */
async function recordsIn(datastore: Records, self: PeerId): Promise<number[]> {
  const own = self.toCID().toString()
  const sizes: number[] = []
  for await (const { key, value } of datastore.query({ prefix: '/peers/' }))
    if (!key.toString().includes(own)) sizes.push(value.byteLength)
  return sizes
}

async function startOn(
  t: TestContext,
  where: 'memory' | 'disk',
  { dataDir, isKnown }: { dataDir?: string; isKnown?: (peerId: PeerId) => boolean } = {},
): Promise<{ peerStore: PeerStore; store: BoundedPeerStore; sizes: () => Promise<number[]> }> {
  let store: BoundedPeerStore | undefined
  let datastore: Records | undefined
  const patch = (components: Components & { datastore: Records }): void => {
    datastore = components.datastore
    store = new BoundedPeerStore(components, isKnown)
  }
  const storage = where === 'disk' ? await openStorage(dataDir ?? (await directory(t))) : undefined
  const options = storage === undefined ? {} : { datastore: storage.datastore }
  const { node } = await startNode(t, patch as never, options)
  t.after(async () => storage?.close())
  assert.ok(store !== undefined && datastore !== undefined)
  const records = datastore
  return { peerStore: node.peerStore, store, sizes: async () => recordsIn(records, node.peerId) }
}

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'throughnat-peers-'))
  t.after(async () => rm(path, { recursive: true, force: true }))
  return path
}

describe('libp2p', LIMIT, () => {
  it('notes every remote with all that it says, which is the fault', async t => {
    const { node } = await startNode(t)
    const ids = await newIds(MAX_PEERS + 1)
    for (const id of ids) await node.peerStore.patch(id, { protocols: ['x'.repeat(MAX_BYTES)] })
    assert.equal((await node.peerStore.all()).length, ids.length)
  })
})

describe('BoundedPeerStore', LIMIT, () => {
  for (const where of ['memory', 'disk'] as const) {
    it(`keeps at most ${MAX_PEERS} peers, those that were heard of last, in ${where}`, async t => {
      const { peerStore, sizes } = await startOn(t, where)
      const ids = await newIds(MAX_PEERS + SURPLUS)
      const [first] = ids as [PeerId]
      for (const [n, id] of ids.entries()) {
        await peerStore.merge(id, { protocols: [`/p/${n}`] })
        if (n % 100 === 0) await peerStore.merge(first, { protocols: ['/again'] })
      }
      assert.equal((await sizes()).length, MAX_PEERS)
      const [, second] = ids as [PeerId, PeerId]
      assert.deepEqual([await peerStore.has(first), await peerStore.has(second)], [true, false])
    })

    for (const [what, data] of Object.entries({ ...fat, everything: all }))
      it(`keeps at most ${MAX_BYTES} bytes of a peer with ${what}, in ${where}`, async t => {
        const { peerStore, sizes } = await startOn(t, where)
        for (const method of ['save', 'merge', 'patch'] as const) {
          const [id] = (await newIds(1)) as [PeerId]
          await peerStore[method](id, data)
          await peerStore[method](id, { protocols: ['/later'] })
          for (const size of await sizes()) assert.ok(size <= MAX_BYTES, `${size} bytes by ${method}`)
          await peerStore.delete(id)
        }
      })
  }

  it('keeps what comes bit by bit within the same bound', async t => {
    const { peerStore, sizes } = await startOn(t, 'memory')
    const [id] = (await newIds(1)) as [PeerId]
    for (const n of numbers(200))
      await peerStore.merge(id, {
        multiaddrs: [multiaddr(`/ip4/11.0.0.${n}/tcp/4001`)],
        protocols: [`/protocol/${n}`],
        metadata: { [`key ${n}`]: Buffer.alloc(20) },
      })
    const [size = Infinity] = await sizes()
    assert.ok(size <= MAX_BYTES, `${size} bytes`)
  })

  it('keeps all of peers that are known, however many strangers come', async t => {
    const known = await newIds(3)
    const isKnown = (id: PeerId): boolean => known.some(it => it.equals(id))
    const { peerStore } = await startOn(t, 'memory', { isKnown })
    for (const id of known) await peerStore.patch(id, all)
    for (const id of await newIds(MAX_PEERS + SURPLUS)) await peerStore.merge(id, { protocols: ['/p'] })
    for (const id of known) {
      const { protocols, addresses } = await peerStore.get(id)
      assert.equal(protocols.length, 2_000)
      assert.ok(addresses.length >= 600)
    }
  })

  it('keeps the addresses of a stranger of usual size, and what identify says of it', async t => {
    const { peerStore } = await startOn(t, 'memory')
    const [id] = (await newIds(1)) as [PeerId]
    await peerStore.patch(id, {
      addresses: addresses.slice(0, 8),
      protocols: ['/ipfs/id/1.0.0', '/throughnat/tunnel/1', '/libp2p/dcutr'],
      metadata: { AgentVersion: Buffer.from('throughnat/0.1.0') },
    })
    const peer = await peerStore.get(id)
    assert.deepEqual([peer.addresses.length, peer.protocols.length, peer.metadata.size], [8, 3, 1])
  })

  it('brings what an earlier version has left on the disk within the bounds, while the node runs', async t => {
    const dataDir = await directory(t)
    {
      const storage = await openStorage(dataDir)
      const { node } = await startNode(t, () => {}, { datastore: storage.datastore })
      for (const id of await newIds(MAX_PEERS + SURPLUS))
        await node.peerStore.patch(id, { protocols: ['/p'] })
      for (const id of await newIds(20)) await node.peerStore.patch(id, all)
      await node.stop()
      await storage.close()
    }
    const { store, peerStore, sizes } = await startOn(t, 'disk', { dataDir })
    store.afterStart()
    await store.settled
    assert.equal((await sizes()).length, MAX_PEERS)
    assert.equal((await peerStore.all()).length, MAX_PEERS)
    for (const size of await sizes()) assert.ok(size <= MAX_BYTES, `${size} bytes`)
  })

  it('lets streams open in both directions', async t => {
    const [{ node }, { node: remote }] = [
      await startNode(t, components => new BoundedPeerStore(components)),
      await startNode(t),
    ]
    await openStream(remote, node)
    await openStream(node, remote)
  })

  const members = {
    save: () => {},
    merge: () => {},
    patch: () => {},
    delete: () => {},
    forEach: () => {},
  }
  refusesWithout('libp2p', members, peerStore => new BoundedPeerStore({ peerId: {} as PeerId, peerStore }))
})
