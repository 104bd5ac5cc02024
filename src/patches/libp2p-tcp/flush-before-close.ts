/**
 * Lets the connections that a listener has accepted send what they hold before the listener is closed.
 *
 * Fault of `@libp2p/tcp` 11.0.28: a listener that is closed destroys what it has accepted (listener.ts,
 * `close`), and libp2p closes its listeners first when it stops. What has not been written yet is lost: that
 * of the last turn (coalesced-writes.ts), or of a socket that is full. A punched connection is such a socket
 * at one end, and its last bytes may say that a tunnel is cut, for which the other side would wait otherwise.
 *
 * Upstream issue: https://github.com/libp2p/js-libp2p-tcp/issues/92
 */

import { shapeCheck } from '../expect-shape.ts'
import type { Listener, MultiaddrConnection } from '@libp2p/interface'

/**
 * Time for all connections, in milliseconds: as long as libp2p gives them when it stops (libp2p 3.3.11
 * connection-manager/index.ts, `stop`).
 */
const CLOSE_MS = 500

const assertListenerShape = shapeCheck('@libp2p/tcp', { close: 'function' })
const assertConnectionShape = shapeCheck('@libp2p/tcp', { close: 'function', addEventListener: 'function' })

/** The open connections of one listener. */
export class Accepted {
  readonly #connections = new Set<MultiaddrConnection>()

  /** Adds a connection until it is closed. @throws {UpstreamChangedError} */
  add(connection: MultiaddrConnection): void {
    assertConnectionShape(connection)
    this.#connections.add(connection)
    connection.addEventListener('close', () => this.#connections.delete(connection), { once: true })
  }

  /**
   * Makes the listener close them, or give up on them, before it closes itself.
   *
   * @throws {UpstreamChangedError}
   */
  closeBefore(listener: Listener): void {
    assertListenerShape(listener)
    const close = listener.close.bind(listener)
    listener.close = async () => {
      const signal = AbortSignal.timeout(CLOSE_MS)
      // a connection that cannot send what it holds in time is destroyed with it
      await Promise.allSettled([...this.#connections].map(async it => it.close({ signal })))
      await close()
    }
  }
}
