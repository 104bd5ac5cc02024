/** Bounds what a stranger costs a WebSocket listener before the handshake, by all patches of this folder. */

import { keepAddresses } from '../libp2p-utils/interface-addresses.ts'
import { webSockets } from '@libp2p/websockets'
import { askAboutSockets, UPGRADE_TIMEOUT_MS } from './accepted-sockets.ts'
import { passHttpsServer } from './https-server.ts'
import { boundMessages } from './message-length.ts'
import { readOneHead } from './request-heads.ts'
import { ignoreSocketErrors } from './socket-errors.ts'
import type { Server as HttpsServer } from 'node:https'
import type { Listener } from '@libp2p/interface'
import type { WebSocketsInit } from '@libp2p/websockets'
import type { SocketInit } from './accepted-sockets.ts'

/** The bounds of each listener. */
export interface WebSocketBounds<Slot extends object> extends SocketInit<Slot> {
  /** Gets the HTTPS server of each listener for `/tls/ws`, to replace its certificate. */
  onHttpsServer?: (server: HttpsServer) => void
}

/** Makes the transport, in place of `webSockets()`. `createListener()` may throw `UpstreamChangedError`. */
export function boundedWebSockets<Slot extends object>(
  init: WebSocketsInit,
  bounds: WebSocketBounds<Slot>,
): ReturnType<typeof webSockets> {
  const create = webSockets(init)
  return components => {
    const transport = create(components)
    const createListener = transport.createListener.bind(transport)
    transport.createListener = options => {
      const listener = askAboutSockets(
        options.upgrader,
        upgrader => createListener({ ...options, upgrader }),
        bounds,
      )
      return boundListener(listener, bounds)
    }
    return transport
  }
}

/** The head of a request for a WebSocket. Browsers and proxies add some KiB of cookies and other fields. */
const HEAD_BOUNDS = { maxBytes: 16 * 1024, timeoutMs: UPGRADE_TIMEOUT_MS }

/** Bounds a listener that does not listen yet. Returns it. @throws {UpstreamChangedError} */
function boundListener(
  listener: Listener,
  { onHttpsServer }: { onHttpsServer?: (server: HttpsServer) => void },
): Listener {
  keepAddresses(listener)
  boundMessages(listener)
  ignoreSocketErrors(listener)
  readOneHead(listener, HEAD_BOUNDS)
  if (onHttpsServer !== undefined) passHttpsServer(listener, onHttpsServer)
  return listener
}
