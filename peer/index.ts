/** The embeddable peer. */

export { createPeer } from './peer.ts'
export {
  HolePunchFailedError,
  IdentityError,
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
  ReservationFailed,
  ReservationGranted,
  ReservationLost,
} from './events.ts'
export type { HolePunchFailure } from '../src/errors.ts'
export type {
  HolePunchAttempt,
  HolePunchEvents,
  HolePunchFailed,
  HolePunchStarted,
  HolePunchSucceeded,
  PunchRole,
} from '../src/holepunch/events.ts'
