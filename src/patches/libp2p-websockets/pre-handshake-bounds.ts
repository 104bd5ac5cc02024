/** Bounds what a stranger costs a WebSocket listener before the handshake, by all patches of this folder. */

import { webSockets } from '@libp2p/websockets'
import { boundFirstByte } from './first-byte.ts'
import { passHttpsServer } from './https-server.ts'
import { boundMessages } from './message-length.ts'
import { setServerOptions } from './server-options.ts'
import { ignoreSocketErrors } from './socket-errors.ts'
import type { Server as HttpsServer } from 'node:https'
import type { Listener } from '@libp2p/interface'
import type { WebSocketsInit } from '@libp2p/websockets'
import type { ServerOptions } from './server-options.ts'

/** The bounds of each listener. */
export interface WebSocketBounds extends ServerOptions {
  /** Gets the HTTPS server of each listener for `/tls/ws`, to replace its certificate. */
  onHttpsServer?: (server: HttpsServer) => void
}

/** Makes the transport, in place of `webSockets()`. `createListener()` may throw `UpstreamChangedError`. */
export function boundedWebSockets(
  init: WebSocketsInit,
  bounds: WebSocketBounds,
): ReturnType<typeof webSockets> {
  const create = webSockets(init)
  return components => {
    const transport = create(components)
    const createListener = transport.createListener.bind(transport)
    transport.createListener = options => boundListener(createListener(options), bounds)
    return transport
  }
}

/** Bounds a listener that does not listen yet. Returns it. @throws {UpstreamChangedError} */
function boundListener(listener: Listener, { onHttpsServer, ...options }: WebSocketBounds): Listener {
  boundFirstByte(listener)
  boundMessages(listener)
  ignoreSocketErrors(listener)
  setServerOptions(listener, options)
  if (onHttpsServer !== undefined) passHttpsServer(listener, onHttpsServer)
  return listener
}
