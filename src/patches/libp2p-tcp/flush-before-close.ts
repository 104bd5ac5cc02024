/**
 * Lets the connections that a listener has accepted send what they hold before it is closed.
 *
 * libp2p closes its listeners first when it stops, and @libp2p/tcp 11.0.28 then destroys what they have accepted (listener.ts, `close`): with it goes what has not been written
 * yet, of the last turn (coalesced-writes.ts) or of a socket that is full. A punched connection is such a socket at one end, and the last that it has to say may be that a
 * tunnel is cut, for which the other side would wait otherwise.
 * test/network/upstream-faults.test.ts tells when it is mended.
 */

import type { Listener, MultiaddrConnection } from '@libp2p/interface'

/** Time for all of them, in milliseconds; as long as libp2p gives its connections when it stops (libp2p 3.3.11 connection-manager/index.ts, `stop`). */
const CLOSE_MS = 500

/** The open connections of one listener. */
export class Accepted {
  readonly #connections = new Set<MultiaddrConnection>()

  add(connection: MultiaddrConnection): void {
    this.#connections.add(connection)
    connection.addEventListener('close', () => this.#connections.delete(connection), { once: true })
  }

  /** Makes the listener close them, or give up on them, before it closes itself. */
  closeBefore(listener: Listener): void {
    const close = listener.close.bind(listener)
    listener.close = async () => {
      const signal = AbortSignal.timeout(CLOSE_MS)
      // one that does not get rid of what it holds in time is destroyed with it
      await Promise.allSettled([...this.#connections].map(async it => it.close({ signal })))
      await close()
    }
  }
}
