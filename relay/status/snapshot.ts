/** The state of a relay at one moment, for `/status` and the status page. */

import { CODE_P2P } from '@multiformats/multiaddr'
import { version } from '../../src/node/version.ts'
import type { Moment } from '../../src/time/moment.ts'
import type { Limits } from '../limits/limits.ts'
import type { Relay } from '../relay.ts'
import type { PeersTotals, PeerTotals } from './peer-totals.ts'

/** Maximal length of the lists of reservations and peers. The counts include all. */
const MAX_LISTED = 100

/** The answer to `/status`. */
export interface Snapshot {
  version: string
  peerId: string
  addrs: string[]
  startedAt: string
  uptimeSeconds: number
  isDraining: boolean
  connections: number
  reservations: { count: number; newest: Array<{ peerId: string; remoteAddr: string; expiresAt: string }> }
  circuits: number
  bytesTransferred: { toResponder: number; toInitiator: number }
  /** Numbers, or the word `unlimited`. */
  limits: Record<keyof Limits, number | 'unlimited'>
  /** The peers whose circuits carried most. Only circuits that have ended count. */
  peers: PeerTotals[]
}

/** Reads the state of a relay. */
export function takeSnapshot(relay: Relay, totals: PeersTotals, started: Moment): Snapshot {
  const limits = Object.entries(relay.limits).map(([name, limit]) => [
    name,
    Number.isFinite(limit) ? limit : 'unlimited',
  ])
  return {
    version,
    peerId: relay.peerId.toString(),
    addrs: relay.addrs.map(String),
    startedAt: new Date(started.wall).toISOString(),
    uptimeSeconds: Math.floor(started.ageMs / 1000),
    isDraining: relay.isDraining,
    connections: relay.connections,
    reservations: { count: relay.reservations.size, newest: newestReservations(relay) },
    circuits: relay.circuits,
    bytesTransferred: { ...relay.bytesTransferred },
    limits: Object.fromEntries(limits) as Snapshot['limits'],
    peers: totals.top(MAX_LISTED),
  }
}

function newestReservations({ reservations }: Relay): Snapshot['reservations']['newest'] {
  return [...reservations]
    .slice(-MAX_LISTED)
    .reverse()
    .map(({ peerId, remoteAddr, expiresAt }) => ({
      peerId: peerId.toString(),
      remoteAddr: remoteAddr.decapsulateCode(CODE_P2P).toString(),
      expiresAt: new Date(expiresAt).toISOString(),
    }))
}
