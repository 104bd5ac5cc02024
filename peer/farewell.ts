/**
 * Closes the connections of a node that is about to stop, so that what was sent last arrives: that a tunnel is cut, above all, for which the other side would
 * wait otherwise.
 *
 * libp2p stops its listeners before it closes connections, and a listener destroys the sockets that it has accepted with what they have not written yet
 * (@libp2p/tcp listener.ts, `close`). A punched connection is such a socket at one end.
 * test/network/cli-tickets.test.ts ("leaves nothing open at the other end") tells whether this is still needed.
 */

import { isCircuit } from './dialer.ts'
import type { Connection } from '@libp2p/interface'

/** Time for all of one kind, in milliseconds; as long as libp2p gives them when it stops (connection-manager/index.ts, `stop`). */
const CLOSE_MS = 500

/** Circuits first, since they are carried by the others. Never rejects. */
export async function sayFarewell(connections: readonly Connection[]): Promise<void> {
  for (const isTurn of [isCircuit, (addr: Connection['remoteAddr']) => !isCircuit(addr)]) {
    const signal = AbortSignal.timeout(CLOSE_MS)
    const closing = connections.filter(it => isTurn(it.remoteAddr)).map(async it => it.close({ signal }))
    await Promise.allSettled(closing)
  }
}
