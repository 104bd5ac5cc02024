/** One request on the hop protocol, and what it is answered with. */

import type { ComponentLogger, Connection, Libp2pEvents, PeerId, PrivateKey, Stream } from '@libp2p/interface'
import type { AddressManager, ConnectionManager, Registrar } from '@libp2p/interface-internal'
import type { TypedEventTarget } from 'main-event'
import type { Admission } from '../admission/admission.ts'
import type { RelayEvents } from '../events.ts'
import type { Limits } from '../limits/limits.ts'
import type { HopMessage } from '../../src/protocols/circuit-relay/messages.ts'
import type { Reservations } from './reservations.ts'

/** What libp2p hands to the service. */
export interface HopComponents {
  peerId: PeerId
  privateKey: PrivateKey
  registrar: Registrar
  connectionManager: ConnectionManager
  addressManager: AddressManager
  events: TypedEventTarget<Libp2pEvents>
  logger: ComponentLogger
}

/** What both kinds of request are handled with. */
export interface HopContext {
  readonly components: HopComponents
  readonly limits: Limits
  readonly admission: Admission
  readonly reservations: Reservations
  readonly events: TypedEventTarget<RelayEvents>
  /** The relay is about to stop. */
  isDraining: boolean
}

/** One request, and the way back to whoever sent it. */
export interface HopRequest {
  readonly message: HopMessage
  readonly connection: Connection
  /** Ends the request: it took too long, or its sender went away. */
  readonly signal: AbortSignal
  readonly answer: (message: Omit<HopMessage, 'type' | 'status'> & { status: number }) => Promise<void>
  /** Gives the stream, for what comes after the answer. */
  readonly takeStream: () => Stream
}
