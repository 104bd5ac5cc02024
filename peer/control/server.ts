/**
 * The control socket of a running node: HTTP with JSON over a Unix socket that only this user can open.
 *
 * Invariant: the data directory is locked before the socket is created. So an existing socket belongs to a
 * process that has ended.
 */

import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { json } from 'node:stream/consumers'
import { Transform } from 'node:stream'
import { exitCodeOf, exitCodes } from '../../src/cli/exit-codes.ts'
import { HttpOnDemand } from './http-on-demand.ts'
import { socketPathOf } from './socket.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'node:net'

/**
 * The handlers, by method and path: `GET /status`. A handler gets the JSON body of the request, and returns
 * that of the answer.
 */
export type Routes = Readonly<Record<string, (body: unknown) => Promise<object> | object>>

/** Largest body of a request, in bytes. */
const MAX_BODY_BYTES = 64 * 1024

/** Simultaneous requests. Only this user's programs connect. */
const MAX_CONNECTIONS = 16

/** Time for a whole request, in milliseconds. */
const REQUEST_MS = 10_000

/**
 * How often that time is checked, in milliseconds. Node's default is 30 s, and silent clients would hold all
 * connections for that long.
 */
const CHECK_MS = 1_000

/**
 * Serves requests until the result is disposed of. Resolves when it listens.
 *
 * @throws {InvalidConfigError} if the data directory's path is too long for a socket
 * @throws the system's error if the socket cannot be created
 */
export async function serveControl(dataDir: string, routes: Routes): Promise<AsyncDisposable> {
  const path = socketPathOf(dataDir)
  await rm(path, { force: true })
  const http = new HttpOnDemand(
    { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, connectionsCheckingInterval: CHECK_MS },
    (request, response) => void answer(request, response, routes),
  )
  http.listener.maxConnections = MAX_CONNECTIONS
  await listen(http.listener, path)
  return http
}

/**
 * Creates the socket with its final permissions. A later `chmod` would leave it open to others until then.
 */
async function listen(server: Server, path: string): Promise<void> {
  const listening = once(server, 'listening')
  const mask = process.umask(0o177)
  try {
    server.listen(path)
  } finally {
    process.umask(mask)
  }
  await listening
}

async function answer(request: IncomingMessage, response: ServerResponse, routes: Routes): Promise<void> {
  const { method = '', url = '' } = request
  const name = `${method} ${url}`
  const route = Object.hasOwn(routes, name) ? routes[name] : undefined
  try {
    if (route === undefined) send(response, 404, problem(new Error(`Unknown route: ${name}`)))
    else send(response, 200, await route(await readBody(request)))
  } catch (error) {
    const isBug =
      exitCodeOf(error) === exitCodes.bug && !(error instanceof TypeError || error instanceof RangeError)
    send(response, isBug ? 500 : 400, problem(error as Error))
  }
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  if (request.method === 'GET') return undefined
  let bytes = 0
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.byteLength
      if (bytes > MAX_BODY_BYTES) done(new RangeError(`The request is larger than ${MAX_BODY_BYTES} bytes`))
      else done(null, chunk)
    },
  })
  try {
    return await json(request.pipe(bounded))
  } catch (cause) {
    if (cause instanceof RangeError) throw cause
    throw new TypeError('The request is not JSON', { cause })
  }
}

/** With the code of an error of the system, by which the command that asked knows its exit code. */
function problem(error: NodeJS.ErrnoException & { problem?: string }): object {
  // the data directory is that of the command, too: its path need not be sent
  const { name, message, code, syscall, problem } = error
  return { error: { name, message, code, syscall, problem } }
}

function send(response: ServerResponse, status: number, body: object): void {
  // otherwise the unread rest of the request would be parsed as the next one
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(`${JSON.stringify(body)}\n`)
}
