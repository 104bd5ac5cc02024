/**
 * The listening side of tunnels: connects the remote peers that may to the local TCP services they ask for.
 *
 * The invariant: closed to everyone until a rule opens it, and nothing a remote peer sends, or does not send, makes
 * this side hold more than the limits say, for longer than they say, or tell which services exist.
 * Spec: docs/tunnel-protocol.md
 */
import { AbortError, StreamResetError } from '@libp2p/interface'
import type { Connection, Stream } from '@libp2p/interface'
import { TypedEventEmitter } from 'main-event'
import type { TypedEventTarget } from 'main-event'
import type { Socket } from 'node:net'
import { connectLocal } from './connect-local.ts'
import { withDeadline } from './deadline.ts'
import { readMessage } from './message.ts'
import { decodeRequest, encodeResponse, MAX_CONNECTIONS_PER_PEER } from './protocol.ts'
import { START } from './resume/receive-window.ts'
import { KEPT_MS } from './resume/resumer.ts'
import { Sessions } from './resume/sessions.ts'
import type { OpenRequest, TunnelRequest, TunnelStatus } from './protocol.ts'
import { createServiceRules } from './service-rules.ts'
import type { ServiceAddress, ServiceRule, ServiceRules } from './service-rules.ts'
import { Slots } from './slots.ts'
import { resetSocket, splice } from './splice.ts'
import type { Traffic } from './splice.ts'

export interface ServicesLimits {
  /**
   * Milliseconds that a remote peer has for its request, and after a refusal for closing the stream.
   *
   * @default 10_000 as long as libp2p gives protocol negotiation (`PROTOCOL_NEGOTIATION_TIMEOUT`)
   */
  requestMs: number
  /**
   * Milliseconds that the local service has to accept a connection.
   *
   * @default 10_000 as long as libp2p gives a dial (`DIAL_TIMEOUT`)
   */
  connectMs: number
  /** Connections that one remote peer may have open at a time. @default 1024 see `MAX_CONNECTIONS_PER_PEER` */
  connectionsPerPeer: number
  /**
   * Connections that all remote peers together may have open at a time. Each takes a file descriptor.
   *
   * @default 2048 so that one peer alone cannot take them all
   */
  connections: number
  /** Milliseconds that a connection without a path waits for its peer to come back. @default 120_000 */
  keptMs: number
}

export interface ServicesInit {
  /** The TCP services that can be reached, by name. */
  services: ReadonlyMap<string, ServiceAddress>
  /** Who may reach them, by the same names. A service without a rule is open to nobody. */
  allow: ReadonlyMap<string, ServiceRule>
  limits?: Partial<ServicesLimits>
}

/**
 * Why a remote peer was not let through. Only the owner of the service learns the difference between the first two.
 *
 * - `unknown`: there is no service of that name
 * - `not-allowed`: there is, and no rule opens it to this peer
 * - `down`: the service did not accept the connection
 * - `busy`: a limit on open connections was reached
 * - `malformed`: the request could not be understood
 * - `silent`: no request came in time
 * - `gone`: the remote peer left before it was served, or came back for a connection that is there no more
 */
export type ServiceRefusal = 'unknown' | 'not-allowed' | 'down' | 'busy' | 'malformed' | 'silent' | 'gone'

export interface ServiceOpened {
  peerId: string
  service: string
  /** What the connection runs over when it opens; it moves to better paths. */
  path: 'relayed' | 'direct'
}

export interface ServiceClosed extends ServiceOpened, Traffic {
  durationMs: number
  /** Why it was cut, if it was. */
  error?: Error
}

export interface ServiceRefused {
  peerId: string
  /** What the peer asked for, fit for a log; empty if it did not get as far. */
  service: string
  reason: ServiceRefusal
  error?: Error
}

export interface ServicesEvents {
  'service:opened': CustomEvent<ServiceOpened>
  'service:closed': CustomEvent<ServiceClosed>
  'service:refused': CustomEvent<ServiceRefused>
}

/** Answers tunnel requests. Register `handle` with `tunnelHandlerOptions`. */
export interface Services extends TypedEventTarget<ServicesEvents> {
  /** Handles one stream of `TUNNEL_PROTOCOL`. Resolves when it is closed and never rejects. */
  handle: (stream: Stream, connection: Pick<Connection, 'remotePeer' | 'direct'>) => Promise<void>
  /** Takes no more streams and resets those that are open. Resolves when all are closed. May be called again. */
  stop: () => Promise<void>
}

/**
 * Makes the listening side of the tunnels. It holds no resources until a stream is handled.
 *
 * @throws {InvalidConfigError} when a name, an address, a peer id or a rule for a missing service is wrong.
 */
export function createServices(init: ServicesInit): Services {
  return new TunnelServices(init)
}

const defaultLimits: ServicesLimits = {
  requestMs: 10_000,
  connectMs: 10_000,
  connectionsPerPeer: MAX_CONNECTIONS_PER_PEER,
  connections: 2048,
  keptMs: KEPT_MS,
}

/** Who asks, and for what as far as it is known. */
interface Caller {
  peerId: string
  path: 'relayed' | 'direct'
  service: string
}

class TunnelServices extends TypedEventEmitter<ServicesEvents> implements Services {
  readonly #rules: ServiceRules
  readonly #limits: ServicesLimits
  readonly #streams: Slots
  readonly #connections: Slots
  readonly #sessions: Sessions
  readonly #open: Map<AbortController, Promise<void>> = new Map()
  #isStopped = false

  constructor(init: ServicesInit) {
    super()
    this.#rules = createServiceRules(init.services, init.allow)
    this.#limits = { ...defaultLimits, ...init.limits }
    const { connectionsPerPeer, connections, keptMs } = this.#limits
    this.#sessions = new Sessions(keptMs)
    this.#connections = new Slots({ perPeer: connectionsPerPeer, total: connections })
    // Half as many again may be asking, or be told no: they hold no socket. Beyond that there is no answer.
    this.#streams = new Slots({ perPeer: connectionsPerPeer * 1.5, total: connections * 1.5 })
  }

  handle = async (stream: Stream, connection: Pick<Connection, 'remotePeer' | 'direct'>): Promise<void> => {
    const peerId = connection.remotePeer.toString()
    const caller: Caller = { peerId, path: connection.direct ? 'direct' : 'relayed', service: '' }
    if (this.#isStopped) {
      stream.abort(new AbortError('The services were stopped'))
      return
    }
    if (!this.#streams.enter(peerId)) {
      stream.abort(new StreamResetError('Too many tunnel streams are open'))
      this.#report(caller, 'busy')
      return
    }
    const controller = new AbortController()
    const serving = this.#serve(stream, caller, controller.signal).finally(() => {
      this.#open.delete(controller)
      this.#streams.leave(peerId)
    })
    this.#open.set(controller, serving)
    await serving
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const controller of this.#open.keys()) controller.abort(new AbortError('The services were stopped'))
    await Promise.all(this.#open.values())
  }

  async #serve(stream: Stream, caller: Caller, signal: AbortSignal): Promise<void> {
    let request: TunnelRequest
    try {
      const { requestMs } = this.#limits
      const body = await withDeadline(requestMs, 'The remote peer sent no request in time', signal, signal =>
        readMessage(stream, { signal }),
      )
      request = decodeRequest(body)
    } catch (error) {
      await this.#rejectRequest(stream, caller, error as Error, signal)
      return
    }
    if (!('service' in request)) {
      if (!this.#sessions.resume(caller.peerId, request, stream))
        await this.#refuse(stream, caller, 'gone', 'gone', signal)
      return
    }
    caller.service = request.service
    const address = this.#rules.find(caller.service, caller.peerId)
    if (typeof address === 'string') {
      await this.#refuse(stream, caller, 'refused', address, signal)
    } else if (this.#sessions.has(caller.peerId, request)) {
      await this.#refuse(stream, caller, 'malformed', 'malformed', signal)
    } else if (!this.#connections.enter(caller.peerId)) {
      await this.#refuse(stream, caller, 'busy', 'busy', signal)
    } else {
      await this.#connect(stream, caller, request, address, signal).finally(() =>
        this.#connections.leave(caller.peerId),
      )
    }
  }

  async #connect(
    stream: Stream,
    caller: Caller,
    request: OpenRequest,
    address: ServiceAddress,
    signal: AbortSignal,
  ): Promise<void> {
    let socket: Socket
    const { connectMs } = this.#limits
    try {
      socket = await withDeadline(connectMs, 'The service did not accept in time', signal, signal =>
        connectLocal(address, stream, signal),
      )
    } catch (error) {
      if (stream.status === 'open') {
        await this.#refuse(stream, caller, 'unavailable', 'down', signal, error as Error)
      } else {
        this.#report(caller, 'gone', error as Error)
      }
      return
    }
    await this.#carry(socket, stream, caller, request, signal)
  }

  async #carry(
    socket: Socket,
    carrier: Stream,
    caller: Caller,
    request: OpenRequest,
    signal: AbortSignal,
  ): Promise<void> {
    const traffic: Traffic = { bytesIn: 0, bytesOut: 0 }
    const openedAt = performance.now()
    this.safeDispatchEvent('service:opened', { detail: { ...caller } })
    let cause: { error?: Error } = {}
    try {
      if (carrier.status === 'open') carrier.send(encodeResponse({ status: 'ok' }))
      const stream = this.#sessions.open(caller.peerId, request, carrier.log)
      const spliced = splice(socket, stream, { signal, traffic })
      stream.attach(carrier, START)
      await spliced
    } catch (error) {
      resetSocket(socket)
      cause = { error: error as Error }
    }
    const durationMs = performance.now() - openedAt
    this.safeDispatchEvent('service:closed', { detail: { ...caller, ...traffic, durationMs, ...cause } })
  }

  async #rejectRequest(stream: Stream, caller: Caller, error: Error, signal: AbortSignal): Promise<void> {
    if (error.name === 'InvalidMessageError') {
      await this.#refuse(stream, caller, 'malformed', 'malformed', signal, error)
    } else {
      stream.abort(error)
      this.#report(caller, error.name === 'TimeoutError' ? 'silent' : 'gone', error)
    }
  }

  /** Answers, and gives the remote peer time to read the answer: a reset might overtake it. */
  async #refuse(
    stream: Stream,
    caller: Caller,
    status: TunnelStatus,
    reason: ServiceRefusal,
    signal: AbortSignal,
    error?: Error,
  ): Promise<void> {
    this.#report(caller, reason, error)
    try {
      stream.send(encodeResponse({ status }))
      await withDeadline(this.#limits.requestMs, 'The remote peer did not close', signal, async signal => {
        await stream.close({ signal })
        await closed(stream, signal)
      })
    } catch (error) {
      stream.abort(error as Error)
    }
  }

  #report(caller: Caller, reason: ServiceRefusal, error?: Error): void {
    const detail: ServiceRefused = { peerId: caller.peerId, service: printable(caller.service), reason }
    if (error !== undefined) detail.error = error
    this.safeDispatchEvent('service:refused', { detail })
  }
}

/** Resolves when the stream is closed on both sides, or reset. */
function closed(stream: Stream, signal: AbortSignal): Promise<void> {
  if (stream.status !== 'open') return Promise.resolve()
  return new Promise((resolve, reject) => {
    const onClose = (): void => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }
    const onAbort = (): void => {
      stream.removeEventListener('close', onClose)
      reject(signal.reason)
    }
    stream.addEventListener('close', onClose, { once: true })
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

/** Makes a stranger's text fit for a log: no control characters or line tricks, and no more than a name's length. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 63)
}
