/**
 * The proof that a direct connection carries data: pings over it that fill packets of full size, and their echo.
 *
 * A connection whose upgrade succeeded may still be one-sided: the other end has chosen another socket, say, and is
 * about to reset this one. Or the path loses large packets, which the handshake does not show: its messages are small.
 * Each side proves the direction in which it sends; the echo of most implementations comes in small packets.
 * Spec: https://github.com/libp2p/specs/blob/master/ping/ping.md
 */

import { randomBytes } from 'node:crypto'
import { PING_PROTOCOL } from '@libp2p/ping'
import { TimeoutError } from '@libp2p/interface'
import { byteStream } from '@libp2p/utils'
import { openOptimisticStream } from '../protocols/optimistic-stream.ts'
import type { AbortOptions, Connection } from '@libp2p/interface'
import type { LossyPaths } from './lossy-paths.ts'

// ping.md: "The dialing peer sends a 32-byte payload of random binary data"
const PAYLOAD_BYTES = 32

/**
 * Pings that are sent in one flight as the proof: 3 KiB, two full TCP segments on Ethernet (1,460 bytes, RFC 879 and
 * RFC 894) and a part of a third, whatever the headers are.
 */
const PINGS_OF_PROOF = 96

/** Time for a proof, in milliseconds (libp2p's ping time-out): full packets that are lost are repeated several times. */
const PROOF_TIMEOUT_MS = 10_000

// Several parts of a node may ask for the proof of one connection, and ping allows two streams of it at a time.
const proofs = new WeakMap<Connection, Promise<void>>()
const proved = new WeakSet<Connection>()

/**
 * Resolves when a ping has crossed the connection in both directions: in one round trip.
 * A remote that does not speak ping proves the same by saying so. A connection is pinged once, however often it is
 * asked for; `signal` counts the first time.
 *
 * @throws what the connection failed with; `AbortError` when `signal` fires
 */
export async function proveConnection(connection: Connection, options: AbortOptions): Promise<void> {
  const prove = async (): Promise<void> => {
    await pingConnection(connection, options, PINGS_OF_PROOF)
    proved.add(connection)
  }
  const proof = proofs.get(connection) ?? prove()
  proofs.set(connection, proof)
  return proof
}

/** True once {@link proveConnection} has succeeded. */
export function isProved(connection: Connection): boolean {
  return proved.has(connection)
}

/**
 * Proves a connection whose handshake is done. If full packets do not get through in time, the path is noted as lossy
 * and the connection aborted.
 *
 * @throws {TimeoutError} (libp2p) if full packets do not get through
 * @throws what the connection failed with, or the reason of `signal`
 */
export async function proveOrAbort(
  connection: Connection,
  lossyPaths: LossyPaths,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const timeout = AbortSignal.timeout(PROOF_TIMEOUT_MS)
  try {
    await proveConnection(connection, { signal: AbortSignal.any([timeout, signal ?? []].flat()) })
  } catch (error) {
    if (!timeout.aborted || connection.status !== 'open') throw error
    const failure = new TimeoutError('the direct path loses large packets')
    lossyPaths.note(connection.remotePeer, connection.remoteAddr, 'no-full-packet')
    connection.abort(failure)
    throw failure
  }
}

/**
 * Pings a connection, however often that has been done.
 *
 * @param pings - how many are sent in one flight
 * @throws as {@link proveConnection}
 */
export async function pingConnection(
  connection: Connection,
  options: AbortOptions,
  pings: number = 1,
): Promise<void> {
  const stream = await openOptimisticStream(connection, PING_PROTOCOL)
  try {
    const bytes = byteStream(stream)
    const payload = randomBytes(pings * PAYLOAD_BYTES)
    await bytes.write(payload, options)
    const echo = await bytes.read({ ...options, bytes: payload.byteLength })
    if (!payload.equals(echo.subarray())) throw new Error('the ping came back with other bytes')
    await stream.close(options)
  } catch (error) {
    stream.abort(error as Error)
    if ((error as Error).name !== 'UnsupportedProtocolError') throw error
  }
}
