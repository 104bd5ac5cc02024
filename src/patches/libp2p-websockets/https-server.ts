/**
 * Hands out the HTTPS server of a WebSocket listener, so that a renewed certificate can be set.
 *
 * Fault of `@libp2p/websockets` 10.1.21: the listener takes its certificate once (listener.ts, `https.createServer`).
 * Only the events of AutoTLS replace it, which name a certificate of their own.
 *
 * Upstream issue: not reported.
 */

import { WebSocketsSecure } from '@multiformats/multiaddr-matcher'
import { shapeCheck } from '../expect-shape.ts'
import type { Listener } from '@libp2p/interface'
import type { Server as HttpsServer } from 'node:https'

const assertShape = shapeCheck('@libp2p/websockets', { 'https.setSecureContext': 'function' })

/** Patches a listener that does not listen yet. Its `listen()` rejects with `UpstreamChangedError` if the server is not there. */
export function passHttpsServer(listener: Listener, onHttpsServer: (server: HttpsServer) => void): void {
  const listen = listener.listen.bind(listener)
  listener.listen = async addr => {
    await listen(addr)
    if (!WebSocketsSecure.exactMatch(addr)) return
    assertShape(listener)
    onHttpsServer((listener as unknown as { https: HttpsServer }).https)
  }
}
