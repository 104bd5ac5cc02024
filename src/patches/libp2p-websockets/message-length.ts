/**
 * Bounds the length of a message that a WebSocket listener accepts.
 *
 * Fault of `@libp2p/websockets` 10.1.21: a listener accepts messages of up to 100 MiB, the default of `ws`,
 * from strangers (listener.ts, `new ws.WebSocketServer`), and no option changes that.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import type { Listener } from '@libp2p/interface'

/** Longest message, in bytes. A frame of Noise, the most that a peer sends at a time, has 64 KiB. */
const MAX_MESSAGE_BYTES = 1024 * 1024

interface WebSocketListener {
  readonly wsServer: { readonly options: { maxPayload: number } }
}

const assertShape = shapeCheck('@libp2p/websockets', { 'wsServer.options.maxPayload': 'number' })

/** Patches a listener that does not listen yet. @throws {UpstreamChangedError} */
export function boundMessages(listener: Listener): void {
  assertShape(listener)
  const { wsServer } = listener as unknown as WebSocketListener
  wsServer.options.maxPayload = MAX_MESSAGE_BYTES
}
