/** What a peer reports: typed and few. The command line prints them, metrics are counted from them. */

import type { HolePunchEvents } from '../../src/holepunch/events.ts'
import type { NetworkChange } from '../../src/node/network-watch.ts'
import type { PortMappingServiceEvents } from '../port-mapping/service.ts'
import type { RelayListEvents } from '../relays/relay-list.ts'
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
  /**
   * - `disconnected`: the connection to the relay ended
   * - `refused`: the relay did not give it more time
   * - `removed`: the relay is no longer one of this peer's
   * - `stopped`: this peer was stopped
   */
  reason: 'disconnected' | 'refused' | 'removed' | 'stopped'
}

/** How it stands with the reservation at one relay; `standby` while enough others hold one, `waiting` before the next try. */
export type ReservationState = 'standby' | 'connecting' | 'reserving' | 'held' | 'waiting'

/** One relay that this peer knows. */
export interface RelayStatus {
  relay: PeerId
  addrs: readonly Multiaddr[]
  state: ReservationState
  /** When the reservation ends unless it is refreshed; undefined while there is none. */
  expiresAt: Date | undefined
  /**
   * How far the relay's clock is ahead of this machine's, in milliseconds, to about a second. It was measured when the relay was last asked; undefined if that
   * relay does not tell.
   */
  clockAheadMs: number | undefined
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

/** The data directory cannot be written. The peer goes on without it and tries again; see {@link StorageRecovered}. */
interface StorageFailed {
  /** The data directory. */
  path: string
  /** The system's error code, such as `ENOSPC`; `no answer` where the disk has not answered for 10 s; or the database's message. */
  reason: string
}

/** What could not be written to the data directory is written now. */
interface StorageRecovered {
  path: string
  /** Records of remote peers that were given up, since too many waited. */
  dropped: number
}

/** The events of a peer. */
export interface PeerEvents extends HolePunchEvents, RelayListEvents, PortMappingServiceEvents {
  'reservation:granted': CustomEvent<ReservationGranted>
  'reservation:lost': CustomEvent<ReservationLost>
  'reservation:failed': CustomEvent<ReservationFailed>
  'relay:state': CustomEvent<{ relay: PeerId; state: ReservationState; previous: ReservationState }>
  'storage:failed': CustomEvent<StorageFailed>
  'storage:recovered': CustomEvent<StorageRecovered>
  'network:changed': CustomEvent<{ change: NetworkChange }>
  'peer:connected': CustomEvent<PathDetail>
  'peer:disconnected': CustomEvent<{ peerId: PeerId }>
  'path:changed': CustomEvent<PathDetail>
}
