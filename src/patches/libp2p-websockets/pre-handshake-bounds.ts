/**
 * Bounds what a stranger costs a WebSocket listener before the handshake.
 *
 * `@libp2p/websockets` 10.1.21 waits without end for the first byte on a socket (listener.ts `onSocketConnection`), accepts
 * messages of up to 100 MiB, the default of `ws`, and does not listen to the errors of a WebSocket, so that a malformed
 * frame would end the process as an uncaught exception. None of these can be set.
 */

import { webSockets } from '@libp2p/websockets'
import { WebSocketsSecure } from '@multiformats/multiaddr-matcher'
import { shapeCheck } from '../expect-shape.ts'
import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { Server, Socket } from 'node:net'
import type { Listener } from '@libp2p/interface'
import type { WebSocketsInit } from '@libp2p/websockets'

/** Time until the first byte, in milliseconds: that of libp2p for a whole handshake (`inboundUpgradeTimeout`). */
const FIRST_BYTE_TIMEOUT_MS = 10_000

/** Longest message, in bytes. A frame of Noise, the most that a peer sends at once, has 64 KiB. */
const MAX_MESSAGE_BYTES = 1024 * 1024

/** The private members that the patch needs. They exist as soon as the listener is created. */
interface WebSocketListener {
  readonly server: Server
  readonly wsServer: { readonly options: { maxPayload: number } }
  onWsServerConnection: (webSocket: EventEmitter, request: IncomingMessage) => void
}

const assertShape = shapeCheck('@libp2p/websockets', {
  'server.on': 'function',
  'wsServer.options': 'object',
  onWsServerConnection: 'function',
})

/** The server of a listener for `/tls/ws`; it exists when the listener listens. */
interface SecureListener {
  readonly https: HttpsServer
}

const assertSecureShape = shapeCheck('@libp2p/websockets', { 'https.setSecureContext': 'function' })

/** The bounds of each listener. */
export interface WebSocketBounds {
  /** Sockets at once, those before the handshake included; `Infinity` for no bound. */
  maxConnections: number
  /** Silence after which the kernel asks whether the other side is there, in milliseconds. */
  keepAliveMs: number
  /** Gets the HTTPS server of each listener for `/tls/ws`, which no option gives a renewed certificate. */
  onHttpsServer?: (server: HttpsServer) => void
}

/** Makes the transport, in place of `webSockets()`. */
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
export function boundListener(
  listener: Listener,
  { maxConnections, keepAliveMs, onHttpsServer }: WebSocketBounds,
): Listener {
  assertShape(listener)
  const internals = listener as unknown as WebSocketListener
  internals.wsServer.options.maxPayload = MAX_MESSAGE_BYTES
  if (Number.isFinite(maxConnections)) internals.server.maxConnections = maxConnections
  ignoreErrors(internals)
  internals.server.on('connection', socket => prepareSocket(socket, keepAliveMs))
  if (onHttpsServer !== undefined) passHttpsServer(listener, onHttpsServer)
  return listener
}

function passHttpsServer(listener: Listener, onHttpsServer: (server: HttpsServer) => void): void {
  const listen = listener.listen.bind(listener)
  listener.listen = async addr => {
    await listen(addr)
    if (!WebSocketsSecure.exactMatch(addr)) return
    assertSecureShape(listener)
    onHttpsServer((listener as unknown as SecureListener).https)
  }
}

/** `ws` closes a WebSocket after its error by itself, and 'close' reaches libp2p. */
function ignoreErrors(listener: WebSocketListener): void {
  const onConnection = listener.onWsServerConnection.bind(listener)
  listener.onWsServerConnection = (webSocket, request) => {
    webSocket.on('error', () => {})
    onConnection(webSocket, request)
  }
}

function prepareSocket(socket: Socket, keepAliveMs: number): void {
  socket.setKeepAlive(true, keepAliveMs)
  const timer = setTimeout(() => socket.destroy(), FIRST_BYTE_TIMEOUT_MS)
  const end = (): void => clearTimeout(timer)
  socket.once('readable', end).once('close', end)
}
