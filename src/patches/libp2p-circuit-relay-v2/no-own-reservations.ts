/**
 * Keeps the stock circuit-relay transport from making reservations of its own.
 *
 * Fault of `@libp2p/circuit-relay-v2` 4.2.13: the transport reserves at every relay that hands it a circuit
 * while it holds no reservation there (transport/index.ts, `onStop`). A stranger could make this peer hold
 * reservations at any relay. So the transport is answered that there is a reservation; the peer's connection
 * gater decides which relays may hand over circuits.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import type { Transport } from '@libp2p/interface'

/** The class's own tag: the way to find it that needs none of its private members. */
const TAG = '@libp2p/circuit-relay-v2-transport'

const assertShape = shapeCheck('@libp2p/circuit-relay-v2', {
  'reservationStore.hasReservation': 'function',
})

/**
 * Patches the circuit-relay transport among these.
 *
 * @throws {TypeError} if it is not among them
 * @throws {UpstreamChangedError}
 */
export function preventOwnReservations(transports: readonly Transport[]): void {
  const transport = transports.find(it => it[Symbol.toStringTag] === TAG)
  if (transport === undefined) throw new TypeError('circuitRelayTransport() is not among the transports')
  assertShape(transport)
  const { reservationStore } = transport as unknown as { reservationStore: { hasReservation: () => boolean } }
  reservationStore.hasReservation = () => true
}
