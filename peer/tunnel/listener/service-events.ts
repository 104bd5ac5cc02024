/** The events of the listening side of tunnels. */

import type { Traffic } from '../wire/splice.ts'

/**
 * Why a remote peer was refused. The peer sees the same answer for all reasons before `down`; only this side
 * sees which.
 *
 * - `unknown`: there is no service with that name
 * - `not-allowed`: the service exists, but no rule opens it to this peer
 * - `ticket-unknown`: the ticket was not issued by this node, was revoked, or is for another service
 * - `ticket-expired`: the ticket has expired
 * - `ticket-used-up`: the allowed number of peers have used the ticket
 * - `ticket-guesses`: the peer has shown too many wrong tickets; this one was not checked
 * - `down`: the service did not accept the connection, or the use of a ticket could not be stored
 * - `busy`: a limit on open connections was reached
 * - `malformed`: the request could not be understood
 * - `silent`: no request arrived in time
 * - `gone`: the remote peer disconnected before it was served, or tried to resume a connection that no longer
 *   exists
 */
export type ServiceRefusal =
  | 'unknown'
  | 'not-allowed'
  | TicketRefusal
  | 'down'
  | 'busy'
  | 'malformed'
  | 'silent'
  | 'gone'

/** Why a ticket did not admit its holder. */
export type TicketRefusal = 'ticket-unknown' | 'ticket-expired' | 'ticket-used-up' | 'ticket-guesses'

export interface ServiceOpened {
  peerId: string
  service: string
  /** The path of the connection when it opens. It may move to a better path later. */
  path: 'relayed' | 'direct'
  /** The peer that it acts for, whose permissions apply. Absent if it acts for itself. */
  principal?: string
  /** The id of the ticket that admitted the peer. Absent if a rule did. */
  ticket?: string
}

export interface ServiceClosed extends ServiceOpened, Traffic {
  durationMs: number
  /** Why the connection was cut. Absent if it ended in order. */
  error?: Error
}

export interface ServiceRefused {
  peerId: string
  /** The requested service, safe to log. Empty if there was no valid request. */
  service: string
  reason: ServiceRefusal
  error?: Error
}

export interface ServicesEvents {
  'service:opened': CustomEvent<ServiceOpened>
  'service:closed': CustomEvent<ServiceClosed>
  'service:refused': CustomEvent<ServiceRefused>
}
