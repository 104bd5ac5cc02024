/** The relay, to be run by a program of one's own; `throughnat-relay` is such a program. */

export { createRelay } from './relay.ts'
export { IdentityError, ListenError } from '../src/errors.ts'
export type { Relay, RelayInit } from './relay.ts'
export type {
  CircuitClosed,
  CircuitOpened,
  CircuitRefused,
  RelayEvents,
  ReservationEnded,
  ReservationGranted,
  ReservationRefused,
} from './events.ts'
