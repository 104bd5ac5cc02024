/** The events of the listening side of tunnels. */

import type { Traffic } from '../wire/splice.ts'

/**
 * Why a remote peer was refused. The peer sees the same answer for all reasons before `down`; only this side
 * sees which.
 *
 * - `unknown`: there is no service of that name
 * - `not-allowed`: there is, and no rule opens it to this peer
 * - `ticket-unknown`: the ticket is none of this node's, or was revoked, or is for another service
 * - `ticket-expired`: the ticket's time is over
 * - `ticket-clock`: the ticket expires, and was made later than this machine's clock shows; so the clock is wrong, or was, and says nothing about the ticket's time
 * - `ticket-used-up`: as many peers as the ticket is good for have come with it
 * - `ticket-guesses`: the peer has shown too many tickets that there are not; this one was not looked at
 * - `ticket-unreadable`: the disk of the data directory failed before the tickets were read; they are read again when it can be written
 * - `down`: the service did not accept the connection, or the use of a ticket could not be written down
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
export type TicketRefusal =
  | 'ticket-unknown'
  | 'ticket-expired'
  | 'ticket-clock'
  | 'ticket-used-up'
  | 'ticket-guesses'
  | 'ticket-unreadable'

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

interface ServiceClosed extends ServiceOpened, Traffic {
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
