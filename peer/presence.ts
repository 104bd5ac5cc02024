/** Asks whether the other end of a connection is there. */

import { ping } from './ping.ts'
import type { Connection } from '@libp2p/interface'

/** Time for the answer, in milliseconds: a slow round trip, and a packet that is lost and sent again. */
const TIMEOUT_MS = 3_000

/** Resolves when the other end has answered. Throws if it does not, or when `signal` fires. */
export async function checkPresence(connection: Connection, signal: AbortSignal): Promise<void> {
  try {
    await ping(connection, { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) })
  } catch (error) {
    // whoever says that it does not speak ping is there
    if ((error as Error).name !== 'UnsupportedProtocolError') throw error
  }
}
