/** What a peer reports: typed and few. The command line prints them, metrics are counted from them. */

import type { HolePunchEvents } from '../src/holepunch/events.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** How two peers talk now. */
export type Path = 'relayed' | 'direct'

/** A relay keeps a place for this peer: it can be reached at `addr` until `expiresAt`, which is moved on in time. */
export interface ReservationGranted {
  relay: PeerId
  /** The circuit address to give to others. */
  addr: Multiaddr
  expiresAt: Date
}

/** This peer cannot be reached through the relay any more. It asks again by itself. */
export interface ReservationLost {
  relay: PeerId
  reason: 'disconnected' | 'expired' | 'stopped'
}

/** A relay could not be asked, or said no. It is asked again after a pause. */
export interface ReservationFailed {
  relay: PeerId
  /** What went wrong, for a person. */
  reason: string
  retryInMs: number
}

/** A remote peer is connected, or the path to it has changed. */
export interface PathDetail {
  peerId: PeerId
  path: Path
  remoteAddr: Multiaddr
}

/** The events of a peer. */
export interface PeerEvents extends HolePunchEvents {
  'reservation:granted': CustomEvent<ReservationGranted>
  'reservation:lost': CustomEvent<ReservationLost>
  'reservation:failed': CustomEvent<ReservationFailed>
  'peer:connected': CustomEvent<PathDetail>
  'peer:disconnected': CustomEvent<{ peerId: PeerId }>
  'path:changed': CustomEvent<PathDetail>
}
