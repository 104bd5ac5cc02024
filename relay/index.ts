/** The relay as a library. `throughnat-relay` is a program that uses it. */

export { createRelay } from './relay.ts'
export { circuitRelayHop } from './hop/hop-service.ts'
export { startStatusServer } from './status/status-server.ts'
export { limitsOf, profiles } from './limits/limits.ts'
export { CertificateError, IdentityError, InvalidConfigError, ListenError } from '../src/errors.ts'
export type { Admission, Verdict, Visitor } from './admission/admission.ts'
export type { HopInit, HopService } from './hop/hop-service.ts'
export type { HopComponents } from './hop/request.ts'
export type { LimitOverrides, Limits, ProfileName } from './limits/limits.ts'
export type { StatusServer } from './status/status-server.ts'
export type { Relay, RelayInit } from './relay.ts'
export type {
  AddressesChanged,
  CertificateFailed,
  CircuitClosed,
  CircuitEnd,
  CircuitOpened,
  CircuitRefusal,
  CircuitRefused,
  RelayEvents,
  ReservationEnded,
  ReservationGranted,
  ReservationRefusal,
  ReservationRefused,
  RequestAnswered,
} from './events.ts'
