/** What the listening side needs to know of tickets: whether one lets its bearer in. */

import type { TicketRefusal } from './service-events.ts'

/** Checks tickets. */
export interface TicketVerifier {
  /**
   * Tells whether a ticket lets a peer use a service. Counts guesses, and no uses.
   *
   * @param secret - what the peer showed; it may be anything
   * @param bearer - the peer that is let in, of which a ticket may allow so many
   * @param caller - the peer that is connected, which may act for another one: guesses are counted against it, since it can
   *   claim to act for any number of peers that it has made up
   */
  look: (secret: string, service: string, bearer: string, caller: string) => { id: string } | TicketRefusal
  /**
   * Counts that a ticket lets a peer in; with a refusal if it does not any more.
   *
   * @throws the database's error, and then the peer is not counted
   */
  count: (id: string, bearer: string) => Promise<TicketRefusal | undefined>
  /** Tells whether a ticket that has let somebody in has been revoked since. */
  isRevoked: (id: string) => boolean
}
