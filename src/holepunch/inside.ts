/**
 * Which addresses inside this node's network, or on its host, are dialled because a remote peer has named them.
 *
 * A remote can name any of them, and learns from what follows whether something listens there. So addresses of the
 * network are dialled only for a peer that this node has chosen, and only in the networks of its own interfaces. That
 * includes public addresses there, most of all IPv6: a firewall protects them from everyone else. Addresses of this host
 * are dialled only at the port of a peer: one that a client of the same relay dials from.
 */

import { isOwnHost, isOwnNetwork } from '../addresses/interfaces.ts'
import { scopeOf } from '../addresses/scope.ts'
import { portsOfClients } from '../transport/relay-clients.ts'
import type { Interfaces } from '../addresses/interfaces.ts'
import type { Endpoint } from '../addresses/endpoint.ts'

/** Tells whether an endpoint may be dialled. */
export type IsInside = (endpoint: Endpoint) => boolean

/** What the rule looks at. */
export interface InsideInit {
  /** True for a peer that a rule names, or that this node has dialled. */
  isChosen: boolean
  /** The relay of the circuit. */
  relay: Endpoint
  /** @default as the kernel says */
  portsOfClients?: typeof portsOfClients
  /** @default those of this machine */
  interfaces?: Interfaces
}

/** Makes the rule for one remote peer. It looks at the kernel's tables once, and only if it must. */
export function insideRule({ isChosen, relay, ...init }: InsideInit): IsInside {
  let ports: ReadonlySet<number> | undefined
  let hasLooked = false
  return ({ host, port }) => {
    const scope = scopeOf(host)
    if (scope === 'unusable') return false
    if (!isOwnHost(host, init.interfaces))
      return isOwnNetwork(host, init.interfaces) ? isChosen : scope === 'public'
    if (!hasLooked) ports = (init.portsOfClients ?? portsOfClients)(relay)
    hasLooked = true
    return ports === undefined ? isChosen && scope !== 'loopback' : ports.has(port)
  }
}
