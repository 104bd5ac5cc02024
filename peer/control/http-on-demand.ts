/**
 * An HTTP server that loads `node:http` when its first client connects. That module takes 17 MiB and 50 ms of processor
 * time on Node 24.21, and most nodes are never asked.
 *
 * A server of `node:net` listens, and hands its connections to the HTTP server by the event `connection`
 * (https://nodejs.org/docs/latest-v24.x/api/http.html#event-connection).
 */

import { once } from 'node:events'
import { createServer } from 'node:net'
import type { RequestListener, Server as HttpServer, ServerOptions } from 'node:http'
import type { Server, Socket } from 'node:net'

/** Answers requests until it is disposed of. */
export class HttpOnDemand implements AsyncDisposable {
  /** The server that listens. Set its limits, and let it listen. */
  readonly listener: Server
  readonly #options: ServerOptions
  readonly #onRequest: RequestListener
  readonly #sockets = new Set<Socket>()
  #http: Promise<HttpServer> | undefined

  constructor(options: ServerOptions, onRequest: RequestListener) {
    this.#options = options
    this.#onRequest = onRequest
    this.listener = createServer(socket => void this.#serve(socket))
  }

  /** Closes all connections, too. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.listener, 'close')
    this.listener.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
    // ends its check of times
    const http = await this.#http
    http?.close()
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    // until the HTTP server listens for it
    const onError = (): void => {}
    socket.on('error', onError)
    this.#http ??= this.#load()
    const http = await this.#http
    if (socket.destroyed) return
    http.emit('connection', socket)
    socket.off('error', onError)
  }

  async #load(): Promise<HttpServer> {
    const { createServer } = await import('node:http')
    const http = createServer(this.#options, this.#onRequest)
    // starts the check of times, which belongs to this event
    http.emit('listening')
    return http
  }
}
