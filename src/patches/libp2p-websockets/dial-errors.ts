/**
 * Gives the cause of a WebSocket dial that failed.
 *
 * Fault of `@libp2p/websockets` 10.1.21: a dial rejects with the `ErrorEvent` of Node's WebSocket, which is no Error and has no message and
 * no cause (index.js `_connect`); after an abort it rejects without the reason of the signal. undici, which opens the
 * WebSocket, publishes the cause on `undici:request:error`, and the status of an answer that is no WebSocket on
 * `undici:request:headers` (undici's docs/api/DiagnosticsChannel.md). Which dial a request belongs to is known by its
 * asynchronous context.
 *
 * Upstream issue: https://github.com/libp2p/js-libp2p/pull/1950 (upstream mended it once).
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import { STATUS_CODES } from 'node:http'
import { ConnectionFailedError } from '@libp2p/interface'
import { webSockets } from '@libp2p/websockets'
import { shapeCheck } from '../expect-shape.ts'
import { closeAborted } from './dialled-sockets.ts'
import { pinNames } from './pinned-names.ts'
import type { AddressJudge } from './pinned-names.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** The private method that the patch replaces. */
interface WebSocketTransport {
  _connect: (addr: Multiaddr, options: AbortOptions) => Promise<WebSocket>
}

const assertShape = shapeCheck('@libp2p/websockets', { _connect: 'function' })

/** What undici has said about the request of one dial. */
interface Attempt {
  isRequested: boolean
  error?: unknown
  status?: number
}

const dials = new AsyncLocalStorage<Attempt>()
const attempts = new WeakMap<object, Attempt>()

interface RequestMessage {
  request: object
  error?: unknown
  response?: { statusCode: number }
}

let isSubscribed = false

/** Once in a process, and only in one that opens WebSockets. */
function subscribeOnce(): void {
  if (isSubscribed) return
  isSubscribed = true
  subscribe('undici:request:create', message => {
    const attempt = dials.getStore()
    if (attempt === undefined) return
    attempt.isRequested = true
    attempts.set((message as RequestMessage).request, attempt)
  })
  subscribe('undici:request:headers', message => {
    const { request, response } = message as RequestMessage
    const attempt = attempts.get(request)
    if (attempt !== undefined && response !== undefined) attempt.status = response.statusCode
  })
  subscribe('undici:request:error', message => {
    const { request, error } = message as RequestMessage
    const attempt = attempts.get(request)
    if (attempt !== undefined) attempt.error = error
  })
}

/**
 * Makes the transport, in place of `webSockets()`.
 *
 * A dial of it rejects with the reason of its signal, or with a ConnectionFailedError whose `cause` is the error of the
 * connection.
 *
 * @param judge - judges each address before it is dialled; unless given, all are dialled
 */
export function explainedWebSockets(judge?: AddressJudge): ReturnType<typeof webSockets> {
  const create = webSockets()
  return components => {
    const transport = closeAborted(create(components))
    return explainDials(judge === undefined ? transport : pinNames(transport, judge))
  }
}

/** Patches one transport. Returns it. @throws {UpstreamChangedError} */
export function explainDials<T extends object>(transport: T): T {
  assertShape(transport)
  subscribeOnce()
  const internals = transport as unknown as WebSocketTransport
  const connect = internals._connect.bind(internals)
  internals._connect = async (addr, options) => {
    const attempt: Attempt = { isRequested: false }
    try {
      return await dials.run(attempt, connect, addr, options)
    } catch (error) {
      if (options.signal?.aborted === true) throw options.signal.reason
      throw error instanceof Error ? error : failureOf(attempt)
    }
  }
  return transport
}

function failureOf({ isRequested, error, status }: Attempt): Error {
  if (!isRequested)
    return new ConnectionFailedError(
      'Node.js opens no WebSocket to this port, which the Fetch standard blocks for other protocols',
    )
  if (status !== undefined && status !== 101) {
    const answer = `${status} ${STATUS_CODES[status] ?? ''}`.trim()
    return new ConnectionFailedError(
      `it answers ${answer} instead of opening a WebSocket; check the port, and the path in the proxy before the relay`,
    )
  }
  // undici aborts the request itself when the answer breaks RFC 6455
  if (!(error instanceof Error) || error.name === 'AbortError')
    return new ConnectionFailedError('what answers there is no WebSocket server')
  return Object.assign(new ConnectionFailedError(`the WebSocket was not opened: ${error.message}`), {
    cause: error,
  })
}
