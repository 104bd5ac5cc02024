/**
 * The dialing side of tunnels: a local TCP port. Each connection to it leads to a remote peer's service.
 *
 * Invariant: connections do not affect each other. A local caller whose connection does not reach the service
 * gets a reset immediately.
 */
import { listenOnHost } from '../../../src/addresses/listen-on-host.ts'
import { descriptors } from '../../../src/node/descriptors.ts'
import { AbortError, ConnectionClosedError, ConnectionFailedError } from '@libp2p/interface'
import { TypedEventEmitter } from 'main-event'
import type { TypedEventTarget } from 'main-event'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { openService } from './open-service.ts'
import type { OpenServiceOptions, OpenStream } from './open-service.ts'
import type { ContinuityOptions } from '../resume/resumer.ts'
import { MAX_CONNECTIONS_PER_PEER } from '../wire/protocol.ts'
import { START } from '../resume/receive-window.ts'
import { resetSocket, splice } from '../wire/splice.ts'
import type { Traffic } from '../wire/splice.ts'

export interface ForwardLocalInit
  extends ContinuityOptions,
    Pick<OpenServiceOptions, 'openMs' | 'credentials' | 'ticketExpiresAt'> {
  /** The local address to listen on. Anyone who can reach it can use the service as this peer. */
  host: string
  /** The local port to listen on. 0 selects a free one. */
  port: number
  openStream: OpenStream
  service: string
  /**
   * Called for each opened connection with its live counters. The function that it returns is called at the
   * end.
   */
  onCarry?: (traffic: Traffic) => () => void
  /** Stops the forward, as `stop()` does. */
  signal?: AbortSignal
  /**
   * The most local connections that may be open at the same time. More are reset.
   *
   * @default 1024 the remote peer allows no more, see `MAX_CONNECTIONS_PER_PEER`
   */
  maxConnections?: number
}

interface ForwardOpened {
  service: string
  /** Port of the local caller. It distinguishes the connections of one forward. */
  localPort: number
}

interface ForwardClosed extends ForwardOpened, Traffic {
  durationMs: number
  /** Why the connection was cut. Absent if it ended in order. */
  error?: Error
}

interface ForwardFailed {
  service: string
  /** Port of the local caller. Absent if the listening port itself failed. */
  localPort?: number
  /** Why the service was not reached: a {ServiceRefusedError}, or what opening the stream threw. */
  error: Error
}

interface ForwardEvents {
  'forward:opened': CustomEvent<ForwardOpened>
  'forward:closed': CustomEvent<ForwardClosed>
  'forward:failed': CustomEvent<ForwardFailed>
}

/** A local port that leads to a remote peer's service. */
export interface LocalForward extends TypedEventTarget<ForwardEvents>, AsyncDisposable {
  /** The address that it listens on. */
  readonly address: { host: string; port: number }
  /**
   * Stops listening and resets the open connections. Resolves when all are closed. It may be called more than
   * once.
   */
  stop: () => Promise<void>
}

/**
 * Listens on a local port and forwards each connection to the remote peer's service. Resolves when it
 * listens, even if the service is unreachable: every connection tries again.
 *
 * @throws the server's error if the port cannot be listened on (`EADDRINUSE`, `EACCES`), or the reason of
 * `signal`
 */
export async function forwardLocal(init: ForwardLocalInit): Promise<LocalForward> {
  init.signal?.throwIfAborted()
  const forward = new TcpForward(init)
  await forward.listen(init.host, init.port)
  const onAbort = (): void => void forward.stop()
  init.signal?.addEventListener('abort', onAbort, { once: true })
  forward.onStop = () => init.signal?.removeEventListener('abort', onAbort)
  if (init.signal?.aborted) {
    await forward.stop()
    init.signal.throwIfAborted()
  }
  return forward
}

class TcpForward extends TypedEventEmitter<ForwardEvents> implements LocalForward {
  readonly #init: ForwardLocalInit
  readonly #maxConnections: number
  #servers: Server[] = []
  readonly #open: Map<AbortController, Promise<void>> = new Map()
  #address: { host: string; port: number } = { host: '', port: 0 }
  #stopping: Promise<void> | undefined
  onStop: () => void = () => {}

  constructor(init: ForwardLocalInit) {
    super()
    this.#init = init
    this.#maxConnections = init.maxConnections ?? MAX_CONNECTIONS_PER_PEER
  }

  get address(): { host: string; port: number } {
    return this.#address
  }

  async listen(host: string, port: number): Promise<void> {
    const create = (): Server =>
      createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, socket => this.#accept(socket))
    this.#servers = await listenOnHost(create, { host, port })
    // accepting can fail later, for lack of file descriptors; the server continues to listen
    for (const server of this.#servers) server.on('error', error => this.#fail(undefined, error))
    const bound = this.#servers[0]?.address() as AddressInfo
    this.#address = { host: bound.address, port: bound.port }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #stop(): Promise<void> {
    this.onStop()
    const areClosed = this.#servers.map(
      async server => new Promise<unknown>(resolve => server.close(resolve)),
    )
    for (const controller of this.#open.keys()) controller.abort(new AbortError('The forward was stopped'))
    await Promise.all(this.#open.values())
    await Promise.all(areClosed)
  }

  #accept(socket: Socket): void {
    const localPort = socket.remotePort ?? 0
    const shortage = descriptors.refuse(socket)
    if (shortage !== undefined) return this.#fail(localPort, shortage)
    if (this.#open.size >= this.#maxConnections) {
      resetSocket(socket)
      this.#fail(
        localPort,
        new ConnectionFailedError(`More than ${this.#maxConnections} local connections are open`),
      )
      return
    }
    const controller = new AbortController()
    const carrying = this.#carry(socket, localPort, controller).finally(() => this.#open.delete(controller))
    this.#open.set(controller, carrying)
  }

  async #carry(socket: Socket, localPort: number, controller: AbortController): Promise<void> {
    const { openStream, service } = this.#init
    const traffic: Traffic = { bytesIn: 0, bytesOut: 0 }
    const onClose = (): void => controller.abort(new ConnectionClosedError('The local caller disconnected'))
    // the error itself is not needed: 'close' follows it
    const onError = (): void => {}
    socket.on('close', onClose)
    socket.on('error', onError)
    try {
      const early = (): Uint8Array | null => takeEarly(socket, traffic)
      const options = { ...this.#init, signal: controller.signal, early }
      const stream = await openService(openStream, service, options)
      socket.off('close', onClose)
      const openedAt = performance.now()
      const onEnd = this.#init.onCarry?.(traffic)
      this.safeDispatchEvent('forward:opened', { detail: { service, localPort } })
      const cause = await splice(socket, stream, { signal: controller.signal, traffic }).then(
        () => ({}),
        (error: Error) => ({ error }),
      )
      onEnd?.()
      const durationMs = performance.now() - openedAt
      this.safeDispatchEvent('forward:closed', {
        detail: { service, localPort, ...traffic, durationMs, ...cause },
      })
    } catch (error) {
      socket.off('close', onClose)
      resetSocket(socket)
      this.#fail(localPort, error as Error)
    } finally {
      socket.off('error', onError)
    }
  }

  #fail(localPort: number | undefined, error: Error): void {
    const detail: ForwardFailed = { service: this.#init.service, error }
    if (localPort !== undefined) detail.localPort = localPort
    this.safeDispatchEvent('forward:failed', { detail })
  }
}

/**
 * Reads what a caller that speaks first has sent while the stream was opened, as much as the listener accepts
 * with the request.
 */
function takeEarly(socket: Socket, traffic: Traffic): Uint8Array | null {
  const bytes = Math.min(socket.readableLength, START.limit)
  const chunk = bytes === 0 ? null : (socket.read(bytes) as Uint8Array | null)
  traffic.bytesOut += chunk?.byteLength ?? 0
  return chunk
}
