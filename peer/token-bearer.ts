/**
 * Shows this peer's token to its relays before anything is asked of them, once on each connection.
 *
 * Only relays that were given along with the token see it: a relay that some target names may be anybody's.
 */

import { presentToken } from '../src/relay-token.ts'
import { relayIdOf } from './target.ts'
import type { AbortOptions, Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** How long a relay may take to answer, in milliseconds. */
const ANSWER_TIMEOUT_MS = 10_000

/** The token and the relays that it is for. */
export class TokenBearer {
  readonly #token: string | undefined
  readonly #relays: readonly Multiaddr[]
  readonly #shown = new WeakSet<Connection>()

  constructor(token: string | undefined, relays: readonly Multiaddr[]) {
    this.#token = token
    this.#relays = relays
  }

  /**
   * Shows the token over a connection to a relay, if there is a token and this relay is one of its.
   *
   * @throws {Error} if the relay does not know the token, or did not answer
   */
  async show(connection: Connection, { signal }: AbortOptions): Promise<void> {
    const isOurs = this.#relays.some(relay => relayIdOf(relay).equals(connection.remotePeer))
    if (this.#token === undefined || !isOurs || this.#shown.has(connection)) return
    const signals = [AbortSignal.timeout(ANSWER_TIMEOUT_MS), ...(signal === undefined ? [] : [signal])]
    const isKnown = await presentToken(connection, this.#token, { signal: AbortSignal.any(signals) })
    if (!isKnown) throw new Error('the relay does not know the token that was shown to it')
    this.#shown.add(connection)
  }

  /** Connects to those of the token's relays that these circuits go through, and shows it to each. */
  async showOnTheWay(
    circuits: readonly Multiaddr[],
    connect: (relay: Multiaddr) => Promise<Connection>,
    options: AbortOptions,
  ): Promise<void> {
    if (this.#token === undefined) return
    const onTheWay = this.#relays.filter(relay =>
      circuits.some(circuit => circuit.toString().includes(`/p2p/${relayIdOf(relay)}/p2p-circuit`)),
    )
    const outcomes = await Promise.allSettled(
      onTheWay.map(async relay => this.show(await connect(relay), options)),
    )
    const failures = outcomes.filter(outcome => outcome.status === 'rejected')
    // one relay that lets this peer in is enough
    if (failures.length > 0 && failures.length === outcomes.length) throw failures[0]?.reason
  }
}
