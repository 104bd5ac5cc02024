/**
 * Connection reversal: the responder dials the initiator's own addresses, one-sidedly, where a punch has no way.
 *
 * That helps where the initiator can be reached as it is: it has a public address and does not speak DCUtR, or both
 * peers and their relay share a private network, or one host, and have no public address to offer each other.
 * Spec: https://github.com/libp2p/specs/blob/master/relay/DCUtR.md#the-protocol (the "unilateral connection upgrade").
 */

import { scopeOf } from '../../addresses/scope.ts'
import type { Scope } from '../../addresses/scope.ts'
import { RemoteCandidates } from '../candidates.ts'
import { endpointOf } from '../../addresses/endpoint.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { AcceptOptions, LocalAddresses } from '../candidates.ts'
import type { Strategy } from './strategy.ts'

export const reversal: Strategy = ({ source, local, remote }) => {
  if (source !== 'identify') return undefined
  const candidates = isSeenInside(local)
    ? [...remote.loopback, ...remote.private, ...remote.public]
    : remote.public
  if (candidates.length === 0) return undefined
  // a peer that dials one-sidedly is the client, whatever its role in DCUtR
  return { strategy: 'reversal', candidates, from: 'ephemeral-port', role: 'initiator' }
}

/**
 * The addresses, of those that the remote listed in identify, that may be dialled from here. A relay that sees this node
 * on a private network, or on its own host, shares that network with it, and so does the remote: then addresses of that
 * kind make sense. Otherwise they belong to other hosts.
 *
 * @param options - which of them are left out
 */
export function reversalCandidates(
  listed: readonly Multiaddr[],
  local: LocalAddresses,
  options: AcceptOptions = {},
): RemoteCandidates {
  const acceptLoopback = scopesOfObservers(local).has('loopback')
  return RemoteCandidates.from(listed, local, { ...options, acceptLoopback })
}

/** True if a relay sees this node from inside a private network, or on its own host. */
export function isSeenInside(local: LocalAddresses): boolean {
  const seenFrom = scopesOfObservers(local)
  return seenFrom.has('private') || seenFrom.has('loopback')
}

function scopesOfObservers({ observed }: LocalAddresses): Set<Scope> {
  return new Set(observed.map(addr => scopeOf(endpointOf(addr).host)))
}
