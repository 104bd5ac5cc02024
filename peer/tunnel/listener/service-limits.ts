/** What remote peers may have of a listener's tunnels, and for how long. */

import { MAX_CONNECTIONS_PER_PEER } from '../wire/protocol.ts'
import { KEPT_MS } from '../resume/resumer.ts'

export interface ServicesLimits {
  /**
   * Milliseconds that a remote peer has for its request, and after a refusal for closing the stream.
   *
   * @default 10_000 as long as libp2p gives protocol negotiation (`PROTOCOL_NEGOTIATION_TIMEOUT`)
   */
  requestMs: number
  /**
   * Milliseconds that the local service has to accept a connection.
   *
   * @default 10_000 as long as libp2p gives a dial (`DIAL_TIMEOUT`)
   */
  connectMs: number
  /** Connections that one remote peer may have open at a time. @default 1024 see `MAX_CONNECTIONS_PER_PEER` */
  connectionsPerPeer: number
  /**
   * Connections that all remote peers which a rule names may have open at a time, together, and all others likewise. Each takes a file descriptor.
   *
   * @default 2048 so that one peer alone cannot take them all
   */
  connections: number
  /** Milliseconds that a connection without a path waits for its peer to come back. @default 120_000 */
  keptMs: number
}

export const defaultLimits: ServicesLimits = {
  requestMs: 10_000,
  connectMs: 10_000,
  connectionsPerPeer: MAX_CONNECTIONS_PER_PEER,
  connections: 2048,
  keptMs: KEPT_MS,
}
