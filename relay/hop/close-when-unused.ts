/**
 * Closes the connection of a peer whose reservation has expired. No message of circuit-relay v2 says that a reservation has ended, and a peer whose clock is wrong
 * believes for hours that it still has one. The end of the connection is something that every implementation notices.
 *
 * The invariant: no stream is cut. A connection that carries circuits stays until they end.
 */

import { setTimeout as pause } from 'node:timers/promises'
import type { Connection } from '@libp2p/interface'

/** How often a connection in use is looked at, in milliseconds: streams end without an event of their connection. */
const POLL_MS = 1_000

/** Time for the orderly end of a connection, in milliseconds. */
const CLOSE_MS = 5_000

/** Resolves when the connection is closed, or when `isWanted` returns true: its peer has made a new reservation. Never throws. */
export async function closeWhenUnused(connection: Connection, isWanted: () => boolean): Promise<void> {
  while (connection.status === 'open' && !isWanted()) {
    if (connection.streams.length === 0) return close(connection)
    await pause(POLL_MS, undefined, { ref: false })
  }
}

async function close(connection: Connection): Promise<void> {
  try {
    await connection.close({ signal: AbortSignal.timeout(CLOSE_MS) })
  } catch (error) {
    connection.abort(error as Error)
  }
}
