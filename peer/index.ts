/** The embeddable peer. */

export { createPeer } from './node/create-peer.ts'
export { createMetrics } from './status/metrics.ts'
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
  UpstreamChangedError,
} from '../src/errors.ts'
export type { Peer, PeerInit } from './node/peer.ts'
export type { PeerRank } from './limits/rank.ts'
export type { PeerConnection, Pong } from './connections/connection.ts'
export type {
  Path,
  PathDetail,
  PeerEvents,
  RelayStatus,
  ReservationFailed,
  ReservationGranted,
  ReservationLost,
  ReservationState,
} from './node/events.ts'
export type { CircuitLimits } from './connections/circuit-limits.ts'
export type { NetcheckReport } from './netcheck/report.ts'
export type { MappingAdded, MappingFailed, MappingLost } from './port-mapping/events.ts'
export type { NetworkChange } from '../src/node/network-watch.ts'
export type { HolePunchFailure } from '../src/errors.ts'
export type {
  HolePunchAttempt,
  HolePunchEvents,
  HolePunchFailed,
  HolePunchStarted,
  HolePunchSucceeded,
  PunchRole,
} from '../src/holepunch/events.ts'
