/**
 * Closes the socket of a dialled WebSocket that is aborted, and bounds what its remote sends.
 *
 * Fault of `@libp2p/websockets` 10.1.21: to abort a connection it closes the WebSocket with a code that the WebSocket of
 * Node.js does not accept (websocket-to-conn.ts, `sendReset`), so the socket stays open, and all that still comes is
 * read. 1 MiB of messages of a byte, or of pings, takes 0.8 s and more. undici, which has the socket, publishes it on
 * `undici:client:sendHeaders`, and pings on `undici:websocket:ping` (undici's docs/api/DiagnosticsChannel.md).
 *
 * Upstream issue: not reported.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import { shapeCheck } from '../expect-shape.ts'
import { joinMessages, MessageBudget } from './small-messages.ts'
import type { MultiaddrConnection, Transport, Upgrader } from '@libp2p/interface'
import type { Duplex } from 'node:stream'

/** What undici has said about one dial. */
interface Dial {
  socket?: Duplex
}

interface Internals {
  readonly websocket: WebSocket
  sendReset: () => void
}

const assertTransportShape = shapeCheck('@libp2p/websockets', { dial: 'function' })
const assertShape = shapeCheck('@libp2p/websockets', { websocket: 'object', sendReset: 'function' })

const dials = new AsyncLocalStorage<Dial>()
const budgets = new WeakMap<WebSocket, MessageBudget>()

let isSubscribed = false

/** Once in a process, and only in one that opens WebSockets. */
function subscribeOnce(): void {
  if (isSubscribed) return
  isSubscribed = true
  const requests = new WeakMap<object, Dial>()
  subscribe('undici:request:create', message => {
    const dial = dials.getStore()
    if (dial !== undefined) requests.set((message as { request: object }).request, dial)
  })
  subscribe('undici:client:sendHeaders', message => {
    const { request, socket } = message as { request: object; socket: Duplex }
    const dial = requests.get(request)
    if (dial !== undefined) dial.socket = socket
  })
  for (const control of ['ping', 'pong'])
    subscribe(`undici:websocket:${control}`, message => {
      budgets.get((message as { websocket: WebSocket }).websocket)?.note(0)
    })
}

/** Patches one transport. Returns it. @throws {UpstreamChangedError} */
export function closeAborted<T extends Transport>(transport: T): T {
  assertTransportShape(transport)
  subscribeOnce()
  const connect = transport.dial.bind(transport)
  transport.dial = async (addr, options) => {
    const dial: Dial = {}
    const { upgrader } = options
    const upgradeOutbound: Upgrader['upgradeOutbound'] = async (connection, upgradeOptions) =>
      upgrader.upgradeOutbound(bounded(connection, dial), upgradeOptions)
    const wrapped = Object.assign(Object.create(upgrader) as Upgrader, { upgradeOutbound })
    return dials.run(dial, async () => connect(addr, { ...options, upgrader: wrapped }))
  }
  return transport
}

/** @throws {UpstreamChangedError} */
function bounded(connection: MultiaddrConnection, { socket }: Dial): MultiaddrConnection {
  assertShape(connection)
  const internals = connection as unknown as Internals
  const end = (): void => {
    if (socket === undefined) internals.websocket.close()
    else socket.destroy()
  }
  internals.sendReset = end
  const budget = new MessageBudget(end)
  budgets.set(internals.websocket, budget)
  joinMessages(connection, budget)
  return connection
}
