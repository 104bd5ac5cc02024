/**
 * The endpoints that relays see this node's punch port come from: what a NAT maps it to.
 *
 * Only connections that this node dialled from the punch port count: the remote was chosen by us, and what it saw is
 * the mapping that a punch will use. What comes over a circuit is the relay's address, not ours. An observation lives
 * as long as its connection, which is also what keeps the mapping alive.
 *
 * `@libp2p/identify` throws observed TCP addresses away (https://github.com/libp2p/js-libp2p/issues/2620), but its
 * `peer:identify` event carries them.
 */

import { scopeOf } from '../addresses/scope.ts'
import type { Scope } from '../addresses/scope.ts'
import net from 'node:net'
import { endpointOf, withoutPeerId } from '../addresses/endpoint.ts'
import { isPunchable } from '../transport/punch-transport.ts'
import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** The observations of one node. */
export class ObservedEndpoints {
  readonly #byConnection = new Map<string, Multiaddr>()

  /** Notes what the remote of a connection that left from the punch port saw. */
  note(connection: Connection, observed: Multiaddr): void {
    const endpoint = withoutPeerId(observed)
    if (!isPunchable(endpoint) || !connection.direct) return
    const { host } = endpointOf(endpoint)
    if (!net.isIP(host) || !isPlausible(scopeOf(host), scopeOf(endpointOf(connection.remoteAddr).host)))
      return
    this.#byConnection.set(connection.id, endpoint)
  }

  /** Forgets what the remote of this connection saw. */
  forget(connection: Connection): void {
    this.#byConnection.delete(connection.id)
  }

  /** Tells whether the remote of this connection has said what it saw. */
  has(connection: Connection): boolean {
    return this.#byConnection.has(connection.id)
  }

  /** Each endpoint once, the most recent first. */
  endpoints(): Multiaddr[] {
    const unique = new Map<string, Multiaddr>()
    for (const endpoint of [...this.#byConnection.values()].reverse())
      unique.set(endpoint.toString(), endpoint)
    return [...unique.values()]
  }
}

/** Only from this host can a relay see us on it; one that says otherwise would have us dial what listens here. */
function isPlausible(seen: Scope, relay: Scope): boolean {
  return seen !== 'unusable' && (seen !== 'loopback' || relay === 'loopback')
}
