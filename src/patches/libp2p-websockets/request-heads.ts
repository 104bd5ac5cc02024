/**
 * Lets a WebSocket listener read one head of a request from each socket (src/limits/first-head.ts).
 *
 * Fault of `@libp2p/websockets` 10.1.21: it makes its HTTP server in `listen` and answers any number of requests on
 * each socket (listener.ts, `httpRequestHandler`), and no option reaches that server.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import { passFirstHead } from '../../limits/first-head.ts'
import type { Server } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { Listener } from '@libp2p/interface'
import type { HeadBounds } from '../../limits/first-head.ts'

const assertShape = shapeCheck('@libp2p/websockets', {
  httpRequestHandler: 'function',
  onUpgrade: 'function',
})

/** The listener has one of the two servers once it listens. */
interface WebSocketListener {
  readonly http?: Server
  readonly https?: HttpsServer
}

/** Patches a listener that does not listen yet. @throws {UpstreamChangedError} */
export function readOneHead(listener: Listener, bounds: HeadBounds): void {
  assertShape(listener)
  const listen = listener.listen.bind(listener)
  listener.listen = async addr => {
    await listen(addr)
    const { http, https } = listener as unknown as WebSocketListener
    for (const server of [http, https]) if (server !== undefined) passFirstHead(server, bounds)
  }
}
