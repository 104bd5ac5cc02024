/**
 * Connection reversal: the responder dials the initiator's own addresses, one-sidedly, where a punch has no way.
 *
 * That helps where the initiator can be reached as it is: it has a public address and does not speak DCUtR, or both
 * peers and their relay share a private network, or one host, and have no public address to offer each other.
 * Spec: https://github.com/libp2p/specs/blob/master/relay/DCUtR.md#the-protocol (the "unilateral connection upgrade").
 */

import { RemoteCandidates, scopeOf } from '../candidates.ts'
import { endpointOf } from '../../addresses/endpoint.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { LocalAddresses } from '../candidates.ts'

/**
 * The addresses, of those that the remote told by identify, to which a connection may lead from here. What relays see
 * of this node tells which network it shares with them, and so with the remote: if a relay sees it on a private network
 * or on this host, addresses of that kind make sense; otherwise they are somebody else's.
 */
export function reversalCandidates(told: readonly Multiaddr[], local: LocalAddresses): Multiaddr[] {
  const seenFrom = new Set(local.observed.map(addr => scopeOf(endpointOf(addr).host)))
  const own = [...local.observed, ...local.listening, ...local.announced]
  const remote = new RemoteCandidates(own, { acceptLoopback: seenFrom.has('loopback') })
  for (const addr of told) remote.offer(addr)
  const isLocal = seenFrom.has('private') || seenFrom.has('loopback')
  return isLocal ? [...remote.loopback, ...remote.private, ...remote.public] : remote.public
}
