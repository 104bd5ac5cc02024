/** What a relay reports: typed and few. The command line prints them, metrics are counted from them. */

import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** A peer may be reached through this relay from now on; also sent when it refreshes its reservation. */
export interface ReservationGranted {
  peerId: PeerId
  /** Where the peer's connection comes from. */
  remoteAddr: Multiaddr
  expiresAt: Date
  /** Whether the peer held a reservation already. */
  isRefresh: boolean
}

/** A peer may not be reached through this relay any more. */
export interface ReservationEnded {
  peerId: PeerId
  /** `stopped`: the relay was. */
  reason: 'disconnected' | 'expired' | 'stopped'
}

/**
 * Why a reservation was not given.
 *
 * - `full`: `maxReservations` are held
 * - `full-for-address`: as many are held from the same IPv4 address or IPv6 /56 as may be
 * - `too-often`: more requests a second from one IP address than `reservationsPerSecondPerIp`
 * - `denied`: by admission; `rule` says by which of its rules
 * - `over-circuit`: asked for over a circuit
 * - `draining`: the relay is about to stop
 */
export type ReservationRefusal =
  | 'full'
  | 'full-for-address'
  | 'too-often'
  | 'denied'
  | 'over-circuit'
  | 'draining'

/** A reservation was asked for and not given. */
export interface ReservationRefused {
  peerId: PeerId
  remoteAddr: Multiaddr
  reason: ReservationRefusal
  /** The rule of admission, where that denied it. */
  rule?: string
}

/** A circuit between two peers begins to carry data. */
export interface CircuitOpened {
  /** The peer that asked for the circuit. */
  initiator: PeerId
  /** The peer that holds the reservation. */
  responder: PeerId
}

/**
 * Why a circuit was not opened.
 *
 * - `no-reservation`: the responder holds none
 * - `connection-failed`: the responder refused, broke the protocol or did not answer in time, or the initiator went away meanwhile
 * - `too-many`, `too-many-for-peer`, `too-many-for-pair`: as many are open as may be
 * - `too-often`: more requests a second from one IP address than `circuitsPerSecondPerIp`
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

/** A circuit was asked for and not opened. */
export interface CircuitRefused extends CircuitOpened {
  reason: CircuitRefusal
  /** The rule of admission, where that denied it. */
  rule?: string
}

/**
 * Why a circuit ended.
 *
 * - `closed`: by both peers, in good order
 * - `reset`: by a peer, or its connection was lost
 * - `data-limit`, `duration-limit`: it had carried or lasted all that it may
 * - `stopped`: the relay was
 */
export type CircuitEnd = 'closed' | 'reset' | 'data-limit' | 'duration-limit' | 'stopped'

/** A circuit has ended. */
export interface CircuitClosed extends CircuitOpened {
  reason: CircuitEnd
  /** From initiator to responder. */
  bytesToResponder: number
  /** From responder to initiator. */
  bytesToInitiator: number
  durationMs: number
}

/** A request on the hop protocol was answered, or its sender was cut off. */
export interface RequestAnswered {
  peerId: PeerId
  /** What was asked for; `unknown` where that could not be read. */
  request: 'reserve' | 'connect' | 'unknown'
  /**
   * The status of circuit-v2 that went back, by name, or `TIMED_OUT`: the request did not come within its time, or
   * `GONE`: its sender went away before it came.
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
