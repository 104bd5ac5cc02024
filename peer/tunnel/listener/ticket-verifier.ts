/** The interface by which the listening side checks tickets. */

import type { TicketRefusal } from './service-events.ts'

/** Checks tickets. */
export interface TicketVerifier {
  /**
   * Decides whether a ticket allows a peer to use a service. Counts wrong tickets, but no uses.
   *
   * @param secret - what the peer showed; it may be anything
   * @param bearer - the peer that would be admitted; a ticket may limit the number of these
   * @param caller - the connected peer, which may act for another one; wrong tickets count against it,
   * because it can claim to act for any number of invented peers
   */
  look: (secret: string, service: string, bearer: string, caller: string) => { id: string } | TicketRefusal
  /**
   * Counts the use of a ticket by a peer. Resolves with a refusal if the ticket no longer admits it.
   *
   * @throws the database's error; the use is not counted then
   */
  count: (id: string, bearer: string) => Promise<TicketRefusal | undefined>
  /** True if a ticket was revoked after it admitted a peer. */
  isRevoked: (id: string) => boolean
}
