/**
 * The proof that a direct connection carries data: one ping over it, both ways.
 *
 * A connection whose upgrade succeeded may still be one-sided: the other end has chosen another socket, say, and is
 * about to reset this one.
 * Spec: https://github.com/libp2p/specs/blob/master/ping/ping.md
 */

import { randomBytes } from 'node:crypto'
import { PING_PROTOCOL } from '@libp2p/ping'
import { byteStream } from '@libp2p/utils'
import { openOptimisticStream } from '../protocols/optimistic-stream.ts'
import type { AbortOptions, Connection } from '@libp2p/interface'

// ping.md: "The dialing peer sends a 32-byte payload of random binary data"
const PAYLOAD_BYTES = 32

// Several parts of a node may ask for the proof of one connection, and ping allows two streams of it at a time.
const proofs = new WeakMap<Connection, Promise<void>>()

/**
 * Resolves when a ping has crossed the connection in both directions: in one round trip.
 * A remote that does not speak ping proves the same by saying so. A connection is pinged once, however often it is
 * asked for; `signal` counts the first time.
 *
 * @throws what the connection failed with; `AbortError` when `signal` fires
 */
export async function proveConnection(connection: Connection, options: AbortOptions): Promise<void> {
  const proof = proofs.get(connection) ?? pingConnection(connection, options)
  proofs.set(connection, proof)
  return proof
}

/** Pings a connection once, however often that has been done. Throws as {@link proveConnection}. */
export async function pingConnection(connection: Connection, options: AbortOptions): Promise<void> {
  const stream = await openOptimisticStream(connection, PING_PROTOCOL)
  try {
    const bytes = byteStream(stream)
    const payload = randomBytes(PAYLOAD_BYTES)
    await bytes.write(payload, options)
    const echo = await bytes.read({ ...options, bytes: PAYLOAD_BYTES })
    if (!payload.equals(echo.subarray())) throw new Error('the ping came back with other bytes')
    await stream.close(options)
  } catch (error) {
    stream.abort(error as Error)
    if ((error as Error).name !== 'UnsupportedProtocolError') throw error
  }
}
