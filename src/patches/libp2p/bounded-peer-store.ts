/**
 * Bounds what a node remembers of peers that it did not choose.
 *
 * Fault of `libp2p` 3.3.11: it notes every remote in its peer store, with all that the remote says of itself in identify
 * (up to 32 KiB in each of 8 messages), and this cannot be turned off (connection.ts, @libp2p/identify). Records are
 * deleted when they have expired and somebody lists them, which libp2p does once, at its start.
 *
 * The invariant: there are at most {@link MAX_PEERS} records, unless more peers are known, and the one of a peer that is
 * not known has at most {@link MAX_BYTES}. The peer that was heard of the longest ago is forgotten.
 *
 * Upstream issue: by design.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { shapeCheck } from '../expect-shape.ts'
import type { Address, Peer, PeerData, PeerId, PeerStore, Startable } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** What libp2p hands to a service. */
export interface BoundedPeerStoreComponents {
  peerId: PeerId
  peerStore: PeerStore
}

/** Most peers that are remembered: known ones, and others beside them. */
export const MAX_PEERS = 1_000

/** Most bytes of one record of a peer that is not known: the parts below, a public key (550 with RSA-4096), and what encodes them. */
export const MAX_BYTES = 4_096

/** Most bytes of the addresses, of the protocols and of the metadata in such a record, each. An address takes 10 to 50. */
const MAX_PART_BYTES = 768

/** What encodes one item of a part, in bytes at most: tags, lengths, and times. */
const ITEM_BYTES = 24

/** Records that are deleted at a time at the start, and the pause in between, in milliseconds: the database takes them from memory. */
const PRUNED_AT_ONCE = 200
const PRUNE_PAUSE_MS = 500

const assertShape = shapeCheck('libp2p', {
  save: 'function',
  merge: 'function',
  patch: 'function',
  delete: 'function',
  forEach: 'function',
})

/** A libp2p service. It replaces methods of the peer store as it is made. */
export class BoundedPeerStore implements Startable {
  readonly #peerStore: PeerStore
  readonly #self: PeerId
  readonly #isKnown: (peerId: PeerId) => boolean
  /** The peers with a record. The one that was heard of last stands last. */
  readonly #peers = new Map<string, PeerId>()
  readonly #replace: PeerStore['save']
  readonly #stopped = new AbortController()
  #settled: Promise<void> = Promise.resolve()

  /**
   * @param isKnown - true for a peer that this node has chosen: what it says of itself is kept as it is
   * @throws {UpstreamChangedError}
   */
  constructor(
    { peerId, peerStore }: BoundedPeerStoreComponents,
    isKnown: (peerId: PeerId) => boolean = () => false,
  ) {
    assertShape(peerStore)
    this.#self = peerId
    this.#peerStore = peerStore
    this.#isKnown = isKnown
    this.#replace = peerStore.save.bind(peerStore)
    for (const method of ['save', 'merge', 'patch'] as const) {
      const note = peerStore[method].bind(peerStore)
      peerStore[method] = async (id, data, options) => {
        if (id.equals(this.#self)) return note(id, data, options)
        return this.#bounded(id, await note(id, isKnown(id) ? data : trimmed(data), options))
      }
    }
  }

  /** Resolves when the records of an earlier run are within the bounds. Never rejects. */
  get settled(): Promise<void> {
    return this.#settled
  }

  start(): void {}

  /** Takes over the records of an earlier run, in the background. */
  afterStart(): void {
    this.#settled = this.#takeOver().catch(() => {})
  }

  stop(): void {
    this.#stopped.abort()
  }

  /** What a peer's data adds to what was there before is bounded, too. */
  async #bounded(id: PeerId, peer: Peer): Promise<Peer> {
    this.#touch(id)
    await this.#forgetOldest()
    if (this.#isKnown(id) || isWithin(peer)) return peer
    return this.#replace(id, trimmed(peer))
  }

  #touch(id: PeerId): void {
    const key = id.toString()
    this.#peers.delete(key)
    this.#peers.set(key, id)
  }

  async #forgetOldest(): Promise<void> {
    for (const [key, id] of this.#peers) {
      if (this.#peers.size <= MAX_PEERS) return
      if (this.#isKnown(id)) continue
      this.#peers.delete(key)
      await this.#peerStore.delete(id)
    }
  }

  async #takeOver(): Promise<void> {
    const surplus: PeerId[] = []
    const large: Peer[] = []
    await this.#peerStore.forEach(peer => {
      if (this.#peers.has(peer.id.toString())) return
      if (this.#peers.size >= MAX_PEERS && !this.#isKnown(peer.id)) {
        surplus.push(peer.id)
        return
      }
      this.#peers.set(peer.id.toString(), peer.id)
      if (!this.#isKnown(peer.id) && !isWithin(peer)) large.push(peer)
    })
    for (const peer of large) await this.#replace(peer.id, trimmed(peer))
    const { signal } = this.#stopped
    for (const [n, id] of surplus.entries()) {
      if (signal.aborted) return
      // it may have come back meanwhile
      if (!this.#peers.has(id.toString())) await this.#peerStore.delete(id)
      if (n % PRUNED_AT_ONCE === 0) await pause(PRUNE_PAUSE_MS, undefined, { signal, ref: false })
    }
  }
}

/** As much of it as a peer that is not known may leave behind. */
function trimmed(data: PeerData): PeerData {
  const { peerRecordEnvelope: _signedAddresses, addresses, multiaddrs, protocols, metadata, ...rest } = data
  return {
    ...rest,
    ...(addresses === undefined ? {} : { addresses: fitting(addresses, bytesOfAddress) }),
    ...(multiaddrs === undefined ? {} : { multiaddrs: fitting(multiaddrs, it => it.bytes.byteLength) }),
    ...(protocols === undefined ? {} : { protocols: fitting(protocols, it => Buffer.byteLength(it)) }),
    ...(metadata === undefined
      ? {}
      : { metadata: Object.fromEntries(fitting(entriesOf(metadata), bytesOfEntry)) }),
  }
}

function isWithin({ addresses, protocols, metadata, peerRecordEnvelope }: Peer): boolean {
  return (
    peerRecordEnvelope === undefined &&
    fitting(addresses, bytesOfAddress).length === addresses.length &&
    fitting(protocols, it => Buffer.byteLength(it)).length === protocols.length &&
    fitting([...metadata], bytesOfEntry).length === metadata.size
  )
}

/** Without a value, an entry is deleted. */
type Entry = [key: string, value: Uint8Array | undefined]

function entriesOf(metadata: NonNullable<PeerData['metadata']>): Entry[] {
  return metadata instanceof Map ? [...metadata] : Object.entries(metadata)
}

function bytesOfEntry([key, value]: Entry): number {
  return Buffer.byteLength(key) + (value?.byteLength ?? 0)
}

function bytesOfAddress({ multiaddr }: Address | { multiaddr: Multiaddr }): number {
  return multiaddr.bytes.byteLength
}

/** The items that fit into a part of a record, in their order; one that does not is left out. */
function fitting<T>(items: readonly T[], bytesOf: (item: T) => number): T[] {
  let left = MAX_PART_BYTES
  return items.filter(item => {
    const bytes = bytesOf(item) + ITEM_BYTES
    if (bytes > left) return false
    left -= bytes
    return true
  })
}
