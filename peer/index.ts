/** The embeddable peer. */

export { createPeer } from './create-peer.ts'
export { createMetrics } from './metrics.ts'
export {
  CircuitLimitError,
  DataDirError,
  HolePunchFailedError,
  IdentityError,
  InvalidConfigError,
  InvalidTargetError,
  ListenError,
  UnreachableError,
  UnsupportedRuntimeError,
} from '../src/errors.ts'
export type { Peer, PeerInit } from './peer.ts'
export type { PeerConnection, Pong } from './connection.ts'
export type {
  Path,
  PathDetail,
  PeerEvents,
  RelayStatus,
  ReservationFailed,
  ReservationGranted,
  ReservationLost,
  ReservationState,
} from './events.ts'
export type { CircuitLimits } from './circuit-limits.ts'
export type { NetcheckReport } from './netcheck/report.ts'
export type { MappingAdded, MappingFailed, MappingLost } from './port-mapping/events.ts'
export type { NetworkChange } from './network-watch.ts'
export type { HolePunchFailure } from '../src/errors.ts'
export type {
  HolePunchAttempt,
  HolePunchEvents,
  HolePunchFailed,
  HolePunchStarted,
  HolePunchSucceeded,
  PunchRole,
} from '../src/holepunch/events.ts'
