/**
 * Makes identify send no observed address over a circuit.
 *
 * Fault of `@libp2p/identify` 4.1.14: over a circuit it sends the relay's address as the observed one
 * (identify.ts, `handleProtocol`). rust-libp2p takes the host in it for its own (`translate` of
 * libp2p-identify 0.48.0), and has others punch to the relay.
 *
 * Upstream issue: not reported. go-libp2p ignores such observations since
 * https://github.com/libp2p/go-libp2p/pull/3043
 */

import { multiaddr } from '@multiformats/multiaddr'
import { isCircuit } from '../../addresses/circuit.ts'
import { changeObserved } from './answer.ts'
import type { Identify } from '@libp2p/identify'

/** An address without a host, which identify does not send. */
const NOT_OBSERVED = multiaddr('/p2p-circuit')

/** Patches the service. @throws {UpstreamChangedError} */
export function omitRelayAddress(service: Identify): void {
  changeObserved(service, observed => (isCircuit(observed) ? NOT_OBSERVED : observed))
}
