/**
 * What the hole punch service reports: typed and few. Metrics are counted from these, tests wait on them.
 *
 * One upgrade yields `holepunch:started`, an `holepunch:attempt` for each try, and then exactly one of
 * `holepunch:succeeded` and `holepunch:failed`.
 */

import type { HolePunchFailure } from '../errors.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * The part in the punch, as DCUtR deals it. The initiator dialled the circuit and acts as client above TCP; the
 * responder accepted the circuit, opens the DCUtR exchange, and acts as server.
 */
export type PunchRole = 'initiator' | 'responder'

interface HolePunchDetail {
  peerId: PeerId
  role: PunchRole
}

/** The upgrade of a circuit begins. */
export type HolePunchStarted = HolePunchDetail

/** A punch begins: both sides have exchanged candidates and the SYNC has been sent or received. */
export interface HolePunchAttempt extends HolePunchDetail {
  /** Counts from 1. */
  n: number
  /** Round trip over the circuit, measured during the exchange, in milliseconds. */
  rttMs: number
  /** The remote's endpoints that are dialled, at most 8. */
  candidates: readonly Multiaddr[]
}

/** A direct connection exists and a round trip over it has proved it. */
export interface HolePunchSucceeded extends HolePunchDetail {
  remoteAddr: Multiaddr
  /** Since `holepunch:started`, in milliseconds. */
  elapsedMs: number
}

/** All attempts are over; the circuit stays. */
export interface HolePunchFailed extends HolePunchDetail {
  reason: HolePunchFailure
  /** Since `holepunch:started`, in milliseconds. */
  elapsedMs: number
}

/** The events of the hole punch service. */
export interface HolePunchEvents {
  'holepunch:started': CustomEvent<HolePunchStarted>
  'holepunch:attempt': CustomEvent<HolePunchAttempt>
  'holepunch:succeeded': CustomEvent<HolePunchSucceeded>
  'holepunch:failed': CustomEvent<HolePunchFailed>
}
