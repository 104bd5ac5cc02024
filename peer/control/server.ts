/**
 * Answers the commands that ask a running node: HTTP with JSON, over a Unix socket that this user alone can open.
 *
 * The data directory is locked by the time the socket is made, so that one which is there already belongs to a process that is no more.
 */

import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { Transform } from 'node:stream'
import { exitCodeOf, exitCodes } from '../../src/cli/exit-codes.ts'
import { socketPathOf } from './socket.ts'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'

/** What is answered, by method and path: `GET /status`. A route gets the JSON of the request's body, and gives that of the answer's. */
export type Routes = Readonly<Record<string, (body: unknown) => Promise<object> | object>>

/** Largest body of a request, in bytes. */
const MAX_BODY_BYTES = 64 * 1024

/** Requests at a time; this user's own programs are the only ones that ask. */
const MAX_CONNECTIONS = 16

/** Time for a whole request, in milliseconds. */
const REQUEST_MS = 10_000

/** How often that is looked at, in milliseconds. Node's default of 30 s would let silent callers keep all connections for as long. */
const CHECK_MS = 1_000

/**
 * Serves until disposed of.
 *
 * @throws {InvalidConfigError} if the data directory's path is too long for a socket
 * @throws the system's error if the socket cannot be made
 */
export async function serveControl(dataDir: string, routes: Routes): Promise<AsyncDisposable> {
  const path = socketPathOf(dataDir)
  await rm(path, { force: true })
  const server = createServer(
    { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, connectionsCheckingInterval: CHECK_MS },
    (request, response) => {
      void answer(request, response, routes)
    },
  )
  server.maxConnections = MAX_CONNECTIONS
  await listen(server, path)
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** The socket is this user's from the start: what `chmod` narrowed later would have been open until then. */
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
    if (route === undefined) send(response, 404, problem(new Error(`There is no ${name}`)))
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
      if (bytes > MAX_BODY_BYTES) done(new RangeError(`The request has more than ${MAX_BODY_BYTES} bytes`))
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
  // what is left of a request that was not read would be taken for the next one
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(`${JSON.stringify(body)}\n`)
}
