/** What the listening side needs to know of tickets: whether one lets its bearer in. */

import type { TicketRefusal } from './service-events.ts'

/** Checks tickets. */
export interface TicketDesk {
  /**
   * Lets a peer use a service if its ticket says so, and counts that.
   *
   * @param secret - what the peer showed; it may be anything
   */
  redeem: (secret: string, service: string, peerId: string) => Promise<{ id: string } | TicketRefusal>
  /** Tells whether a ticket that has let somebody in has been revoked since. */
  isRevoked: (id: string) => boolean
}
