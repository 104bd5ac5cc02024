/** The events of a relay: typed and few. The command line prints them, and metrics are counted from them. */

import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** A peer is reachable through this relay from now on. Also sent when the peer refreshes its reservation. */
export interface ReservationGranted {
  peerId: PeerId
  /** The address that the peer's connection comes from. */
  remoteAddr: Multiaddr
  expiresAt: Date
  /** True if the peer already had a reservation. */
  isRefresh: boolean
}

/** A peer is no longer reachable through this relay. */
export interface ReservationEnded {
  peerId: PeerId
  /**
   * - `replaced`: the relay was full, and another network had fewer reservations than the one of this peer
   * - `stopped`: the relay was stopped
   */
  reason: 'disconnected' | 'expired' | 'replaced' | 'stopped'
}

/**
 * Why a reservation was refused.
 *
 * - `full`: `maxReservations` are in use
 * - `full-for-address`: the limit for the peer's IPv4 address or IPv6 /56 is reached
 * - `too-often`: more requests per second from one IP address than `reservationsPerSecondPerIp`
 * - `denied`: admission denied it; `rule` names the rule
 * - `over-circuit`: the request came over a circuit
 * - `draining`: the relay is about to stop
 */
export type ReservationRefusal =
  | 'full'
  | 'full-for-address'
  | 'too-often'
  | 'denied'
  | 'over-circuit'
  | 'draining'

/** A request for a reservation was refused. */
export interface ReservationRefused {
  peerId: PeerId
  remoteAddr: Multiaddr
  reason: ReservationRefusal
  /** The admission rule, if the reason is `denied`. */
  rule?: string
}

/** A circuit between two peers starts to carry data. */
export interface CircuitOpened {
  /** The peer that asked for the circuit. */
  initiator: PeerId
  /** The peer that has the reservation. */
  responder: PeerId
}

/**
 * Why a circuit was refused.
 *
 * - `no-reservation`: the responder has no reservation
 * - `connection-failed`: the responder refused, broke the protocol or did not answer in time, or the
 *   initiator disconnected before the answer
 * - `too-many`, `too-many-for-peer`, `too-many-for-pair`: a limit of open circuits is reached
 * - `too-often`: more requests per second from one IP address than `circuitsPerSecondPerIp`
 * - `denied`, `over-circuit`, `draining`: as with reservations
 */
export type CircuitRefusal =
  | 'no-reservation'
  | 'connection-failed'
  | 'too-many'
  | 'too-many-for-peer'
  | 'too-many-for-pair'
  | 'too-often'
  | 'denied'
  | 'over-circuit'
  | 'draining'

/** A request for a circuit was refused. */
export interface CircuitRefused extends CircuitOpened {
  /** The address that the initiator connects from. */
  remoteAddr: Multiaddr
  reason: CircuitRefusal
  /** The admission rule, if the reason is `denied`. */
  rule?: string
}

/**
 * Why a circuit ended.
 *
 * - `closed`: both peers closed it in order
 * - `reset`: a peer reset it, or the connection to a peer was lost
 * - `data-limit`, `duration-limit`: the circuit reached the relay's limit
 * - `replaced`: the relay was full, and another peer had fewer circuits than the one that opened this
 * - `stopped`: the relay was stopped
 */
export type CircuitEnd = 'closed' | 'reset' | 'data-limit' | 'duration-limit' | 'replaced' | 'stopped'

/** A circuit has ended. */
export interface CircuitClosed extends CircuitOpened {
  reason: CircuitEnd
  /** Bytes from initiator to responder. */
  bytesToResponder: number
  /** Bytes from responder to initiator. */
  bytesToInitiator: number
  durationMs: number
}

/** The relay answered a request of the hop protocol, or gave up on it. */
export interface RequestAnswered {
  peerId: PeerId
  /** The kind of request; `unknown` if it could not be read. */
  request: 'reserve' | 'connect' | 'unknown'
  /**
   * The circuit-v2 status that the relay sent, by name. `TIMED_OUT` if the request did not arrive in time.
   * `GONE` if the peer disconnected before its request arrived.
   */
  status: string
}

/** The addresses of this host have changed, and with them those that the relay announces. */
export interface AddressesChanged {
  /** All that it announces now, the most useful first. */
  addrs: readonly Multiaddr[]
}

/** The files of the certificate have changed, and cannot be used. The relay keeps the certificate that it has. */
export interface CertificateFailed {
  reason: string
}

/** The events of a relay. */
export interface RelayEvents {
  'addresses:changed': CustomEvent<AddressesChanged>
  /** The files of the certificate have changed: new connections are shown the new one. */
  'certificate:renewed': CustomEvent<Record<string, never>>
  'certificate:failed': CustomEvent<CertificateFailed>
  'reservation:granted': CustomEvent<ReservationGranted>
  'reservation:refused': CustomEvent<ReservationRefused>
  'reservation:ended': CustomEvent<ReservationEnded>
  'circuit:opened': CustomEvent<CircuitOpened>
  'circuit:refused': CustomEvent<CircuitRefused>
  'circuit:closed': CustomEvent<CircuitClosed>
  'request:answered': CustomEvent<RequestAnswered>
}
