/**
 * The proof that a direct connection carries data: pings over it that fill packets of full size, and their echo.
 *
 * A connection whose upgrade succeeded may still be one-sided: the other end has chosen another socket, say, and is
 * about to reset this one. Or the path loses large packets, which the handshake does not show: its messages are small.
 * Each side proves the direction in which it sends; the echo of most implementations comes in small packets.
 */

import { setImmediate as nextTurn } from 'node:timers/promises'
import { TimeoutError } from '@libp2p/interface'
import { awaitAnswer } from '../../protocols/ping.ts'
import { awakeTimeout } from '../../time/awake-timeout.ts'
import { anySignalOf } from '../../time/deadline.ts'
import type { AbortOptions, Connection } from '@libp2p/interface'
import type { LossyPaths } from './lossy-paths.ts'

/**
 * Pings that are sent in one flight as the proof: 3 KiB, two full TCP segments on Ethernet (1,460 bytes, RFC 879 and
 * RFC 894) and a part of a third, whatever the headers are.
 */
const PINGS_OF_PROOF = 96

/** Time for a proof, in milliseconds (libp2p's ping timeout): full packets that are lost are repeated several times. */
const PROOF_TIMEOUT_MS = 10_000

/**
 * A proof that has had no answer for so long, in milliseconds, has lost its full packets, even if the other side ends the
 * connection first: it has found out, too. Half of the window of a punch: a packet that was lost by chance has been sent
 * again by then (after 1 s at most, RFC 6298 section 2).
 */
const UNANSWERED_MS = 2_500

/** Time for the answer over a circuit, in milliseconds: a slow round trip, and a packet that is lost and sent again. */
const ANSWER_TIMEOUT_MS = 3_000

// Several parts of a node may ask for the proof of one connection, and ping allows two streams of it at a time.
const proofs = new WeakMap<Connection, Promise<void>>()
const proved = new WeakSet<Connection>()
const lossy = new WeakSet<Connection>()

/**
 * Resolves when a ping has crossed the connection in both directions: in one round trip. A connection is pinged once,
 * however often it is asked for; the `signal` of the first call counts.
 *
 * @throws as {@link awaitAnswer}
 */
export async function proveConnection(connection: Connection, options: AbortOptions): Promise<void> {
  const prove = async (): Promise<void> => {
    const unanswered = awakeTimeout(UNANSWERED_MS)
    try {
      // writes of one turn leave in one packet: a full one could take the end of the handshake with it
      await nextTurn()
      await awaitAnswer(connection, { ...options, isOptimistic: true, count: PINGS_OF_PROOF })
      proved.add(connection)
    } catch (error) {
      if (unanswered.aborted) lossy.add(connection)
      throw error
    }
  }
  const proof = proofs.get(connection) ?? prove()
  proofs.set(connection, proof)
  return proof
}

/** True once {@link proveConnection} has succeeded. */
export function isProved(connection: Connection): boolean {
  return proved.has(connection)
}

/** True once {@link proveConnection} has failed because full packets do not get through. */
export function losesFullPackets(connection: Connection): boolean {
  return lossy.has(connection)
}

/** How a connection is proved. */
export interface ProofOptions {
  signal?: AbortSignal | undefined
  /** Circuits to the same peer. If none of them works either, the path is not noted as lossy. @default none */
  circuits?: readonly Connection[]
}

/**
 * Proves a connection whose handshake is done. If full packets do not get through, the path is noted as lossy and the
 * connection aborted.
 *
 * @throws {TimeoutError} (libp2p) if full packets do not get through
 * @throws what the connection failed with, or the reason of `signal`
 */
export async function proveOrAbort(
  connection: Connection,
  lossyPaths: LossyPaths,
  { signal, circuits = [] }: ProofOptions = {},
): Promise<void> {
  const timeout = awakeTimeout(PROOF_TIMEOUT_MS)
  try {
    await proveConnection(connection, { signal: anySignalOf(timeout, signal) })
  } catch (error) {
    if (signal?.aborted === true || !losesFullPackets(connection)) throw error
    const failure = new TimeoutError('the direct path loses large packets')
    connection.abort(failure)
    await noteLoss(connection, lossyPaths, circuits)
    throw failure
  }
}

/**
 * Notes that full packets do not get through on a connection's path, unless the remote peer does not answer over its
 * circuits either: then it has gone, or the network is down.
 */
export async function noteLoss(
  { remotePeer, remoteAddr }: Connection,
  lossyPaths: LossyPaths,
  circuits: readonly Connection[],
): Promise<void> {
  const answers = circuits.map(async circuit =>
    awaitAnswer(circuit, { signal: awakeTimeout(ANSWER_TIMEOUT_MS) }),
  )
  const isThere =
    circuits.length === 0 ||
    (await Promise.any(answers).then(
      () => true,
      () => false,
    ))
  if (isThere) lossyPaths.note(remotePeer, remoteAddr, 'no-full-packet')
}
