/**
 * Shows this peer's token to its relays before the first request, once on each connection.
 *
 * Invariant: only relays that were configured with the token receive it. A relay in a target may belong to
 * anyone.
 */

import { presentToken } from '../../src/protocols/relay-auth.ts'
import { withDeadline } from '../../src/time/deadline.ts'
import type { AbortOptions, Connection, PeerId } from '@libp2p/interface'

/** How long a relay may take to answer, in milliseconds. */
const ANSWER_TIMEOUT_MS = 10_000

/** The token, and the relays that may receive it. */
export class RelayAuth {
  readonly #relays: { has(peerId: PeerId): boolean }
  #token: string | undefined
  #shown = new WeakSet<Connection>()

  constructor(token: string | undefined, relays: { has(peerId: PeerId): boolean }) {
    this.#token = token
    this.#relays = relays
  }

  /** Shows this token from now on, also over connections that have seen another. */
  replace(token: string | undefined): void {
    if (token === this.#token) return
    this.#token = token
    this.#shown = new WeakSet()
  }

  /**
   * Shows the token over a connection to a relay, if there is a token and the relay may receive it.
   *
   * @throws {Error} if the relay rejects the token or does not answer, or `signal` fires
   */
  async show(connection: Connection, { signal }: AbortOptions): Promise<void> {
    if (this.#token === undefined || this.#shown.has(connection)) return
    if (!this.#relays.has(connection.remotePeer)) return
    const token = this.#token
    const isKnown = await withDeadline(ANSWER_TIMEOUT_MS, 'The relay did not answer', signal, signal =>
      presentToken(connection, token, { signal }),
    )
    if (!isKnown) throw new Error('the relay does not accept the token')
    this.#shown.add(connection)
  }
}
