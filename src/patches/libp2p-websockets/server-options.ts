/**
 * Sets the options of a WebSocket listener's TCP server.
 *
 * Fault of `@libp2p/websockets` 10.1.21: the server has no limit of sockets and no keep-alive (listener.ts,
 * `net.createServer`), and none can be set. The limits of libp2p count connections after the handshake.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import type { Listener } from '@libp2p/interface'
import type { Server } from 'node:net'

/** The options of each listener. */
export interface ServerOptions {
  /** Sockets that are open at the same time, those before the handshake included; `Infinity` for no bound. */
  maxConnections: number
  /** Silence after which the kernel asks whether the other side is there, in milliseconds. */
  keepAliveMs: number
}

const assertShape = shapeCheck('@libp2p/websockets', { 'server.on': 'function' })

/** Patches a listener that does not listen yet. @throws {UpstreamChangedError} */
export function setServerOptions(listener: Listener, { maxConnections, keepAliveMs }: ServerOptions): void {
  assertShape(listener)
  const { server } = listener as unknown as { server: Server }
  if (Number.isFinite(maxConnections)) server.maxConnections = maxConnections
  server.on('connection', socket => socket.setKeepAlive(true, keepAliveMs))
}
