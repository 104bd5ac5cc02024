/** The limits for remote peers at the listening side of tunnels. */

import { MAX_CONNECTIONS_PER_PEER } from '../wire/protocol.ts'
import { KEPT_MS } from '../resume/resumer.ts'

export interface ServicesLimits {
  /**
   * Milliseconds that a remote peer may take to send its request, and to close the stream after a refusal.
   *
   * @default 10_000 as libp2p allows for protocol negotiation (`PROTOCOL_NEGOTIATION_TIMEOUT`)
   */
  requestMs: number
  /**
   * Milliseconds that the local service may take to accept a connection.
   *
   * @default 10_000 as libp2p allows for a dial (`DIAL_TIMEOUT`)
   */
  connectMs: number
  /** Open connections of one remote peer. @default 1024 see `MAX_CONNECTIONS_PER_PEER` */
  connectionsPerPeer: number
  /**
   * Open connections of all remote peers that a rule names, together. As many again for all other peers. Each
   * takes a file descriptor.
   *
   * @default 2048 so that one peer alone cannot take them all
   */
  connections: number
  /** Milliseconds that a connection without a path waits for its peer to resume it. @default 120_000 */
  keptMs: number
}

export const defaultLimits: ServicesLimits = {
  requestMs: 10_000,
  connectMs: 10_000,
  connectionsPerPeer: MAX_CONNECTIONS_PER_PEER,
  connections: 2048,
  keptMs: KEPT_MS,
}

/**
 * A stranger has at most this many requests in progress that are older than this, in milliseconds. Honest dialers send
 * the request with the first bytes of the stream.
 */
export const OLD_REQUESTS = { max: 32, olderThanMs: 1_000 } as const

/**
 * Requests of one stranger that may be refused or break off: a browser's burst of 200 to a service that is down, and then
 * a retry every 125 ms. Beyond it the connection is closed. Peers that a rule names, or that were admitted, are exempt.
 */
export const FRUITLESS_REQUESTS = { capacity: 256, perSecond: 8, maxKeys: 1_024 } as const

/** How long a peer counts as known after its last admission, in milliseconds, and how many are remembered. */
export const ADMITTED_MS = 600_000
export const MAX_ADMITTED = 1_024
