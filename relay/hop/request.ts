/** One request of the hop protocol, and what its handlers need. */

import type { ComponentLogger, Connection, Libp2pEvents, PeerId, PrivateKey, Stream } from '@libp2p/interface'
import type { AddressManager, ConnectionManager, Registrar } from '@libp2p/interface-internal'
import type { TypedEventTarget } from 'main-event'
import type { Admission } from '../admission/admission.ts'
import type { RelayEvents } from '../events.ts'
import type { Limits } from '../limits/limits.ts'
import type { HopMessage } from '../../src/protocols/circuit-relay/messages.ts'
import type { Reservations } from './reservations.ts'

/** The libp2p components that the service needs. */
export interface HopComponents {
  peerId: PeerId
  privateKey: PrivateKey
  registrar: Registrar
  connectionManager: ConnectionManager
  addressManager: AddressManager
  events: TypedEventTarget<Libp2pEvents>
  logger: ComponentLogger
}

/** What the handlers of both kinds of request share. */
export interface HopContext {
  readonly components: HopComponents
  readonly limits: Limits
  readonly admission: Admission
  readonly reservations: Reservations
  readonly events: TypedEventTarget<RelayEvents>
  /** The relay refuses new reservations and circuits. */
  isDraining: boolean
}

/** One request, and the function that answers it. */
export interface HopRequest {
  readonly message: HopMessage
  readonly connection: Connection
  /** Fires when the request times out or its sender disconnects. */
  readonly signal: AbortSignal
  readonly answer: (message: Omit<HopMessage, 'type' | 'status'> & { status: number }) => Promise<void>
  /** Detaches the stream from the message reader, for use after the answer. */
  readonly takeStream: () => Stream
}
