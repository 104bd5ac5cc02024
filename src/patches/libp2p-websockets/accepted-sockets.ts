/**
 * Asks about each socket of a WebSocket listener when it is accepted, and closes it if no WebSocket is open in time.
 *
 * Fault of `@libp2p/websockets` 10.1.21: a listener asks the connection gater only when the WebSocket is open
 * (listener.ts, `onWsServerConnection`), and waits without end for the first byte, the TLS handshake, the head and the body
 * of the request (`onSocketConnection`; the time limits of Node's HTTP server apply only to a server that listens itself).
 * Its TCP server has no limit of sockets and no keep-alive (`net.createServer`), and no option changes any of that. `close()`
 * waits for silent sockets.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import { joinMessages, MessageBudget } from './small-messages.ts'
import type { EventEmitter } from 'node:events'
import type { Listener, MultiaddrConnection, Upgrader } from '@libp2p/interface'
import type { IncomingMessage } from 'node:http'
import type { Server, Socket } from 'node:net'

/**
 * Time from the accepted socket to the open WebSocket, in milliseconds: that of libp2p for the handshake that follows
 * (`inboundUpgradeTimeout`).
 */
export const UPGRADE_TIMEOUT_MS = 10_000

/** What the listener asks and is given. `Slot` is what the caller knows an accepted socket by. */
export interface SocketInit<Slot extends object> {
  /** Called for each accepted socket. Undefined closes it. */
  onSocket: (socket: Socket) => Slot | undefined
  /** Called when the socket has become a connection, before libp2p asks its connection gater. */
  onConnection: (connection: MultiaddrConnection, slot: Slot) => void
  /** Silence after which the kernel asks whether the other side is there, in milliseconds. */
  keepAliveMs: number
}

interface WebSocketListener {
  readonly server: Server
  onWsServerConnection: (webSocket: EventEmitter, request: IncomingMessage) => void
}

interface Accepted<Slot> {
  readonly socket: Socket
  readonly slot: Slot
  readonly timer: NodeJS.Timeout
  readonly budget: MessageBudget
}

const assertShape = shapeCheck('@libp2p/websockets', {
  'server.prependListener': 'function',
  onWsServerConnection: 'function',
})

/**
 * Makes a listener that does not listen yet, and patches it.
 *
 * @param create - makes the listener with this upgrader
 *
 * @throws {UpstreamChangedError}
 */
export function askAboutSockets<Slot extends object>(
  upgrader: Upgrader,
  create: (upgrader: Upgrader) => Listener,
  { onSocket, onConnection, keepAliveMs }: SocketInit<Slot>,
): Listener {
  /** The socket whose WebSocket is being handed on. */
  let opening: Accepted<Slot> | undefined
  const upgradeInbound: Upgrader['upgradeInbound'] = async (connection, options) => {
    if (opening !== undefined) {
      joinMessages(connection, opening.budget)
      onConnection(connection, opening.slot)
    }
    return upgrader.upgradeInbound(connection, options)
  }
  const listener = create(Object.assign(Object.create(upgrader) as Upgrader, { upgradeInbound }))
  assertShape(listener)
  const internals = listener as unknown as WebSocketListener
  const sockets = new Map<string, Accepted<Slot>>()
  // before the listener's own, which then waits for a byte of a socket that is closed
  internals.server.prependListener('connection', socket => {
    const slot = onSocket(socket)
    if (slot === undefined) return void socket.destroy()
    socket.setKeepAlive(true, keepAliveMs)
    const timer = setTimeout(() => socket.destroy(), UPGRADE_TIMEOUT_MS)
    const endpoint = endpointOf(socket)
    // a close frame would wait for an answer
    const budget = new MessageBudget(() => socket.destroy())
    sockets.set(endpoint, { socket, slot, timer, budget })
    socket.once('close', () => {
      clearTimeout(timer)
      sockets.delete(endpoint)
    })
  })
  const hand = internals.onWsServerConnection.bind(listener)
  internals.onWsServerConnection = (webSocket, request) => {
    opening = sockets.get(endpointOf(request.socket))
    const budget = opening?.budget
    clearTimeout(opening?.timer)
    for (const control of ['ping', 'pong']) webSocket.on(control, () => budget?.note(0))
    try {
      // calls `upgradeInbound` before it returns
      hand(webSocket, request)
    } finally {
      opening = undefined
    }
  }
  const close = listener.close.bind(listener)
  listener.close = async () => {
    const closed = close()
    // the listener knows a socket only after its first byte, and waits for all of them
    for (const { socket } of sockets.values()) socket.destroy()
    await closed
  }
  return listener
}

/** One per open socket of a listener, and the same for the socket and for the TLS on it. */
function endpointOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`
}
