/**
 * Notes only once that a remote speaks a protocol.
 *
 * Fault of `libp2p` 3.3.11: each new stream is noted in the peer store with its protocol, in both directions
 * (connection.ts, `newStream` and `onIncomingStream`). That reads the record of the remote, parses its addresses and
 * compares everything, which takes a tenth of the processor time of a short connection through a tunnel. The stream waits
 * for it.
 *
 * Upstream issue: not reported.
 */

import QuickLRU from 'quick-lru'
import { shapeCheck } from '../expect-shape.ts'
import type { Peer, PeerData, PeerStore } from '@libp2p/interface'

/** Peers whose record is kept in memory. */
const MAX_PEERS = 256

const assertShape = shapeCheck('libp2p', {
  save: 'function',
  merge: 'function',
  patch: 'function',
  delete: 'function',
})

/** Replaces methods of a peer store, after all others that do. @throws {UpstreamChangedError} */
export function noteProtocolsOnce(peerStore: PeerStore): void {
  assertShape(peerStore)
  const latest = new QuickLRU<string, Peer>({ maxSize: MAX_PEERS })
  for (const method of ['save', 'merge', 'patch'] as const) {
    const note = peerStore[method].bind(peerStore)
    peerStore[method] = async (id, data, options) => {
      const key = id.toString()
      const known = method === 'merge' ? latest.get(key) : undefined
      if (known !== undefined && addsNothing(known, data)) return known
      // a note that goes on meanwhile may be older
      latest.delete(key)
      const peer = await note(id, data, options)
      latest.set(key, peer)
      return peer
    }
  }
  const forget = peerStore.delete.bind(peerStore)
  peerStore.delete = async (id, options) => {
    latest.delete(id.toString())
    await forget(id, options)
    latest.delete(id.toString())
  }
}

function addsNothing({ protocols: known }: Peer, { protocols, ...others }: PeerData): boolean {
  return (
    Object.keys(others).length === 0 && protocols !== undefined && protocols.every(it => known.includes(it))
  )
}
