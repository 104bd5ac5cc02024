/**
 * Keeps the stock circuit-relay transport from making reservations of its own.
 *
 * `@libp2p/circuit-relay-v2` 4.2.13 reserves at any relay that hands it a circuit while it holds none there
 * (transport/index.ts, `onStop`): a stranger could have this peer hold reservations where it likes. The transport is
 * answered that there is a reservation; the peer's connection gater decides who may hand over circuits.
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
