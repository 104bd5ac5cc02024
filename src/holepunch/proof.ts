/**
 * The proof that a direct connection carries data: one ping over it, both ways.
 *
 * A connection whose upgrade succeeded may still be one-sided: the other end has chosen another socket, say, and is
 * about to reset this one.
 */

import { awaitAnswer } from '../protocols/ping.ts'
import type { AbortOptions, Connection } from '@libp2p/interface'

// Several parts of a node may ask for the proof of one connection, and ping allows two streams of it at a time.
const proofs = new WeakMap<Connection, Promise<void>>()

/**
 * Resolves when a ping has crossed the connection in both directions: in one round trip. A connection is pinged once,
 * however often it is asked for; the `signal` of the first call counts.
 *
 * @throws as {@link awaitAnswer}
 */
export async function proveConnection(connection: Connection, options: AbortOptions): Promise<void> {
  const proof = proofs.get(connection) ?? awaitAnswer(connection, { ...options, isOptimistic: true })
  proofs.set(connection, proof)
  return proof
}
