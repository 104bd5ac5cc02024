/**
 * Ends a socket whose remote sends nothing.
 *
 * Fault of `@libp2p/websockets` 10.1.21: a listener waits without end for the first byte on a socket
 * (listener.ts, `onSocketConnection`), and no option bounds the wait.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import type { Listener } from '@libp2p/interface'
import type { Server, Socket } from 'node:net'

/**
 * Time until the first byte, in milliseconds: that of libp2p for a whole handshake (`inboundUpgradeTimeout`).
 */
const FIRST_BYTE_TIMEOUT_MS = 10_000

const assertShape = shapeCheck('@libp2p/websockets', { 'server.on': 'function' })

/** Patches a listener. @throws {UpstreamChangedError} */
export function boundFirstByte(listener: Listener): void {
  assertShape(listener)
  const { server } = listener as unknown as { server: Server }
  server.on('connection', awaitFirstByte)
}

function awaitFirstByte(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), FIRST_BYTE_TIMEOUT_MS)
  const end = (): void => clearTimeout(timer)
  socket.once('readable', end).once('close', end)
}
