/**
 * The HTTP status server: `/healthz`, `/readyz`, `/metrics`, `/status`, and `/` for people.
 *
 * It is read-only. It shows who uses the relay, so run it on loopback or on a network of the operator.
 */

import { createServer } from 'node:http'
import { isIP } from 'node:net'
import { printHostPort } from '../../src/config/kinds/address-kinds.ts'
import { listenOnHost, portOf } from '../../src/addresses/listen-on-host.ts'
import { ListenError } from '../../src/errors.ts'
import { shareConnections } from './client-slots.ts'
import { createMetrics } from './metrics.ts'
import { PAGE_POLICY, renderPage } from './page.ts'
import { PeersTotals } from './peer-totals.ts'
import { passFirstHead } from '../../src/limits/first-head.ts'
import { Moment } from '../../src/time/moment.ts'
import { takeSnapshot } from './snapshot.ts'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { HostPort } from '../../src/config/kinds/address-kinds.ts'
import type { Relay } from '../relay.ts'

/** Simultaneous connections: a browser, and a few monitors. */
const MAX_CONNECTIONS = 64

/** Time to receive a request, in milliseconds. The client has twice as long to read the answer. */
const REQUEST_TIMEOUT_MS = 5_000

/** Longest head of a request, in bytes. */
const MAX_HEAD_BYTES = 8 * 1024

const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

/** A running status server. */
export interface StatusServer {
  readonly url: string
  /** Closes the server and all its connections immediately. */
  stop(): void
}

/** One answer. Its type is plain text by default. */
interface Answer {
  status: number
  body: string
  type?: string
  headers?: Record<string, string>
}

type Route = () => Answer | Promise<Answer>

/**
 * Starts the server. Resolves when it listens.
 *
 * @throws {ListenError} if the address cannot be listened on
 */
export async function startStatusServer(relay: Relay, at: HostPort): Promise<StatusServer> {
  const routes = routesOf(relay)
  const servers = await listen(() => boundedServer(routes, at.host), at)
  return {
    url: `http://${printHostPort({ host: at.host, port: portOf(servers) })}`,
    stop: () => {
      for (const server of servers) {
        server.close()
        server.closeAllConnections()
      }
    },
  }
}

function boundedServer(routes: ReadonlyMap<string, Route>, host: string): Server {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEAD_BYTES,
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: REQUEST_TIMEOUT_MS / 5,
    },
    (request, response) => void respond(routes, host, request, response),
  )
  passFirstHead(server, { maxBytes: MAX_HEAD_BYTES, timeoutMs: REQUEST_TIMEOUT_MS })
  shareConnections(server, MAX_CONNECTIONS)
  // the other timeouts end with the request: a client that does not read its answer would keep the connection
  server.timeout = 2 * REQUEST_TIMEOUT_MS
  // accepting can fail later, for want of file descriptors; the server goes on listening
  server.on('error', () => {})
  return server
}

async function listen(create: () => Server, { host, port }: HostPort): Promise<Server[]> {
  try {
    return await listenOnHost(create, { host, port })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new ListenError([printHostPort({ host, port })], `for the status server: ${code ?? message}`, {
      cause: error,
    })
  }
}

function routesOf(relay: Relay): ReadonlyMap<string, Route> {
  const [metrics, totals, started] = [createMetrics(relay), new PeersTotals(relay), new Moment()]
  const isReady = (): boolean => relay.libp2p.status === 'started' && !relay.isDraining
  return new Map<string, Route>([
    ['/healthz', () => ({ status: 200, body: 'ok\n' })],
    ['/readyz', () => (isReady() ? { status: 200, body: 'ready\n' } : { status: 503, body: 'draining\n' })],
    ['/metrics', async () => ({ status: 200, body: await metrics.metrics(), type: metrics.contentType })],
    [
      '/status',
      () => ({
        status: 200,
        body: `${JSON.stringify(takeSnapshot(relay, totals, started), undefined, 2)}\n`,
        type: 'application/json',
      }),
    ],
    [
      '/',
      () => ({
        status: 200,
        body: renderPage(takeSnapshot(relay, totals, started)),
        type: 'text/html; charset=utf-8',
        headers: { 'content-security-policy': PAGE_POLICY },
      }),
    ],
  ])
}

async function respond(
  routes: ReadonlyMap<string, Route>,
  host: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let answer: Answer
  try {
    answer = await answerTo(routes, host, request)
  } catch {
    answer = { status: 500, body: 'internal error\n' }
  }
  const { status, body, type = 'text/plain; charset=utf-8', headers } = answer
  response.writeHead(status, {
    ...HEADERS,
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    // the body of the request is not read, and Node sends `close` on its own without closing
    connection: 'close',
    ...headers,
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

async function answerTo(
  routes: ReadonlyMap<string, Route>,
  host: string,
  { method, url, headers }: IncomingMessage,
): Promise<Answer> {
  if (!isOurName(headers.host, host))
    return { status: 421, body: 'the Host header does not name this relay\n' }
  if (method !== 'GET' && method !== 'HEAD') {
    return { status: 405, body: 'only GET and HEAD are supported\n', headers: { allow: 'GET, HEAD' } }
  }
  const [path = ''] = (url ?? '').split('?', 1)
  const route = routes.get(path)
  if (route !== undefined) return await route()
  return { status: 404, body: `not found; available paths: ${[...routes.keys()].join(', ')}\n` }
}

/**
 * True if a request names this server as its host. A page from elsewhere can point its own name at this
 * server ("DNS rebinding") and would then be allowed to read the answers. Its name is never one of these.
 */
function isOurName(header: string | undefined, host: string): boolean {
  const name = (header ?? '')
    .toLowerCase()
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
  return isIP(name) !== 0 || name === 'localhost' || name === host.toLowerCase()
}
