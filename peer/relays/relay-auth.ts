/**
 * Shows this peer's token to its relays before anything is asked of them, once on each connection.
 *
 * Only relays that were given along with the token see it: a relay that some target names may be anybody's.
 */

import { presentToken } from '../../src/protocols/relay-auth.ts'
import type { AbortOptions, Connection, PeerId } from '@libp2p/interface'

/** How long a relay may take to answer, in milliseconds. */
const ANSWER_TIMEOUT_MS = 10_000

/** The token and the relays that it is for. */
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
   * Shows the token over a connection to a relay, if there is a token and this relay is one of its.
   *
   * @throws {Error} if the relay does not know the token, or did not answer
   */
  async show(connection: Connection, { signal }: AbortOptions): Promise<void> {
    if (this.#token === undefined || this.#shown.has(connection)) return
    if (!this.#relays.has(connection.remotePeer)) return
    const signals = [AbortSignal.timeout(ANSWER_TIMEOUT_MS), ...(signal === undefined ? [] : [signal])]
    const isKnown = await presentToken(connection, this.#token, { signal: AbortSignal.any(signals) })
    if (!isKnown) throw new Error('the relay does not know the token that was shown to it')
    this.#shown.add(connection)
  }
}
