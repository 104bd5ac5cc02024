/**
 * Listens to the errors of accepted WebSockets.
 *
 * Fault of `@libp2p/websockets` 10.1.21: a listener does not listen to the errors of a WebSocket
 * (listener.ts, `onWsServerConnection`), so that a malformed frame of a stranger ends the process as an
 * uncaught exception. `ws` closes a WebSocket after its error by itself, and 'close' reaches libp2p.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import type { Listener } from '@libp2p/interface'
import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'

interface WebSocketListener {
  onWsServerConnection: (webSocket: EventEmitter, request: IncomingMessage) => void
}

const assertShape = shapeCheck('@libp2p/websockets', { onWsServerConnection: 'function' })

/** Patches a listener that does not listen yet. @throws {UpstreamChangedError} */
export function ignoreSocketErrors(listener: Listener): void {
  assertShape(listener)
  const internals = listener as unknown as WebSocketListener
  const onConnection = internals.onWsServerConnection.bind(listener)
  internals.onWsServerConnection = (webSocket, request) => {
    webSocket.on('error', () => {})
    onConnection(webSocket, request)
  }
}
