/**
 * Bounds what a stranger costs a WebSocket listener before it has shown who it is.
 *
 * `@libp2p/websockets` 10.1.21 waits without end for the first byte on a socket (listener.ts `onSocketConnection`) and takes messages of up
 * to 100 MiB, the default of `ws`; neither can be set. And it does not listen to the errors of a WebSocket, so that a malformed frame from anybody would end the
 * process as an uncaught exception. test/network/upstream-faults.test.ts tells when one of them is mended.
 */

import { shapeCheck } from '../expect-shape.ts'
import { WebSockets, WebSocketsSecure } from '@multiformats/multiaddr-matcher'
import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Server, Socket } from 'node:net'
import type { Startable } from '@libp2p/interface'
import type { AddressManager, TransportManager } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Time until the first byte, in milliseconds: that of libp2p for a whole handshake (`inboundUpgradeTimeout`). */
const FIRST_BYTE_TIMEOUT_MS = 10_000

/** Longest message, in bytes. A frame of Noise, the most that a peer has to say at once, has 64 KiB. */
const MAX_MESSAGE_BYTES = 1024 * 1024

/** The private parts of a WebSocket listener that are reached for. */
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

/** What libp2p hands to the service. */
export interface WebSocketBoundsComponents {
  transportManager: Pick<TransportManager, 'getListeners'>
  addressManager: Pick<AddressManager, 'getListenAddrs'>
}

/** A libp2p service. */
export class WebSocketBounds implements Startable {
  readonly #components: WebSocketBoundsComponents
  readonly #maxConnections: number
  readonly #keepAliveMs: number

  constructor(
    components: WebSocketBoundsComponents,
    { maxConnections, keepAliveMs }: { maxConnections: number; keepAliveMs: number },
  ) {
    this.#components = components
    this.#maxConnections = maxConnections
    this.#keepAliveMs = keepAliveMs
  }

  start(): void {}

  /** The transports listen now. */
  afterStart(): void {
    const { transportManager, addressManager } = this.#components
    const all: object[] = transportManager.getListeners()
    const addrs = addressManager.getListenAddrs()
    const ofWebSockets = all.filter(listener => 'wsServer' in listener)
    // a listener does not know its address yet; one that failed to listen is the node's to report
    const isComplete = all.length < addrs.length || ofWebSockets.length === addrs.filter(isWebSocket).length
    for (const listener of isComplete ? ofWebSockets : all) assertShape(listener)
    for (const listener of ofWebSockets as WebSocketListener[]) {
      listener.wsServer.options.maxPayload = MAX_MESSAGE_BYTES
      if (Number.isFinite(this.#maxConnections)) listener.server.maxConnections = this.#maxConnections
      ignoreErrors(listener)
      listener.server.on('connection', socket => prepareSocket(socket, this.#keepAliveMs))
    }
  }

  stop(): void {}
}

/** `ws` closes a WebSocket after its error by itself, and 'close' tells libp2p. */
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

function isWebSocket(addr: Multiaddr): boolean {
  return WebSockets.matches(addr) || WebSocketsSecure.matches(addr)
}
