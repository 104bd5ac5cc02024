/** What a relay reports: typed and few. The command line prints them, metrics are counted from them. */

import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** A peer may be reached through this relay from now on; also sent when it refreshes its reservation. */
export interface ReservationGranted {
  peerId: PeerId
  /** Where the peer's connection comes from. */
  remoteAddr: Multiaddr
  expiresAt: Date
}

/** A peer may not be reached through this relay any more. */
export interface ReservationEnded {
  peerId: PeerId
  reason: 'disconnected' | 'expired'
}

/** A reservation was asked for and not given. */
export interface ReservationRefused {
  peerId: PeerId
  reason: 'full'
}

/** A circuit between two peers begins to carry data. */
export interface CircuitOpened {
  /** The peer that asked for the circuit. */
  initiator: PeerId
  /** The peer that holds the reservation. */
  responder: PeerId
}

/** A circuit was asked for and not opened. */
export interface CircuitRefused extends CircuitOpened {
  reason: 'connection-failed'
}

/** A circuit has ended. */
export interface CircuitClosed extends CircuitOpened {
  /** `closed` by either peer in good order, or `reset`: by a peer, a limit, a lost connection. */
  reason: 'closed' | 'reset'
  /** From initiator to responder. */
  bytesToResponder: number
  /** From responder to initiator. */
  bytesToInitiator: number
  durationMs: number
}

/** The events of a relay. */
export interface RelayEvents {
  'reservation:granted': CustomEvent<ReservationGranted>
  'reservation:refused': CustomEvent<ReservationRefused>
  'reservation:ended': CustomEvent<ReservationEnded>
  'circuit:opened': CustomEvent<CircuitOpened>
  'circuit:refused': CustomEvent<CircuitRefused>
  'circuit:closed': CustomEvent<CircuitClosed>
}
