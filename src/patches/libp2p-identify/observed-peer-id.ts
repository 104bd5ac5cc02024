/**
 * Makes identify send a remote's observed address as the specification has it: without a peer id at its end.
 *
 * Fault of `@libp2p/identify` 4.1.14: it sends the address of the connection as it is (identify.ts,
 * `handleProtocol`), and libp2p has added the remote's `/p2p/` to that. go-libp2p before 0.41 ignores such an
 * observation, because its parts are not those of an address that it listens on. Then it knows of no public
 * address and does not even offer DCUtR, and nobody punches to it.
 *
 * Upstream issue: not reported.
 */

import { withoutPeerId } from '../../addresses/endpoint.ts'
import { changeObserved } from './answer.ts'
import type { Identify } from '@libp2p/identify'

/** Patches the service. @throws {UpstreamChangedError} */
export function omitPeerId(service: Identify): void {
  changeObserved(service, withoutPeerId)
}
