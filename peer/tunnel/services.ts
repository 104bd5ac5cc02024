/**
 * The listening side of tunnels: connects the remote peers that may to the local TCP services they ask for.
 *
 * The invariant: closed to everyone until a rule opens it, and nothing a remote peer sends, or does not send, makes
 * this side hold more than the limits say, for longer than they say, or tell which services exist.
 * Spec: docs/tunnel-protocol.md
 */
import { AbortError, StreamResetError } from '@libp2p/interface'
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { TypedEventEmitter } from 'main-event'
import type { TypedEventTarget } from 'main-event'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Socket } from 'node:net'
import { connectLocal } from './connect-local.ts'
import { principalOf } from './delegation.ts'
import { withDeadline } from './deadline.ts'
import { readMessage } from './message.ts'
import { decodeRequest, encodeResponse } from './protocol.ts'
import { encodeProxyHeader } from './proxy-header.ts'
import { START } from './resume/receive-window.ts'
import { Sessions } from './resume/sessions.ts'
import type { OpenRequest, TunnelRequest, TunnelStatus } from './protocol.ts'
import type { ServiceOpened, ServiceRefusal, ServiceRefused, ServicesEvents } from './service-events.ts'
import { defaultLimits } from './service-limits.ts'
import type { ServicesLimits } from './service-limits.ts'
import { createServiceRules } from './service-rules.ts'
import type { ServiceAddress, ServiceRule, ServiceRules } from './service-rules.ts'
import { Slots } from './slots.ts'
import { resetSocket, splice } from './splice.ts'
import type { TicketDesk } from './ticket-desk.ts'
import type { Traffic } from './splice.ts'

export interface ServicesInit {
  /** The services that can be reached, by name. */
  services: ReadonlyMap<string, ServiceAddress>
  /** Who may reach them, by the same names. A service without a rule is open to nobody. */
  allow: ReadonlyMap<string, ServiceRule>
  /** Lets in who shows a ticket. @default nobody */
  tickets?: TicketDesk
  /** Called for each connection that opens, with its counters, which run; what it returns is called at its end. */
  onCarry?: (caller: Readonly<ServiceOpened>, traffic: Traffic) => () => void
  /** This peer, for those who act for another one. @default nobody can */
  peerId?: PeerId
  limits?: Partial<ServicesLimits>
}

/** Answers tunnel requests. Register `handle` with `tunnelHandlerOptions`. */
export interface Services extends TypedEventTarget<ServicesEvents> {
  /** Handles one stream of `TUNNEL_PROTOCOL`. Resolves when it is closed and never rejects. */
  handle: (stream: Stream, connection: Bearer) => Promise<void>
  /**
   * Services and rules are others from now on. Open connections that could not be opened any more are reset.
   *
   * @throws {InvalidConfigError} as {@link createServices} does; nothing has changed then
   */
  replace: (init: Pick<ServicesInit, 'services' | 'allow'>) => void
  /** Whether there is a service of this name. */
  has: (service: string) => boolean
  /** Resets open connections that could not be opened any more: a ticket was revoked. */
  reconsider: () => void
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

/** The part of a libp2p connection that is looked at. */
export type Bearer = Pick<Connection, 'remotePeer' | 'remoteAddr' | 'direct'>

/** Who asks, and for what as far as it is known. */
type Caller = ServiceOpened

/** A stream that is open, and what will end it. */
interface Serving {
  caller: Caller
  controller: AbortController
  remotePeer: PeerId
  remoteAddr: Multiaddr | undefined
  isAdmitted: boolean
  ended: Promise<void>
}

class TunnelServices extends TypedEventEmitter<ServicesEvents> implements Services {
  #rules: ServiceRules
  readonly #tickets: TicketDesk | undefined
  readonly #peerId: PeerId | undefined
  readonly #onCarry: ServicesInit['onCarry']
  readonly #limits: ServicesLimits
  readonly #streams: Slots
  readonly #connections: Slots
  readonly #sessions: Sessions
  readonly #servings = new Set<Serving>()
  #isStopped = false

  constructor(init: ServicesInit) {
    super()
    this.#rules = createServiceRules(init.services, init.allow)
    this.#tickets = init.tickets
    this.#peerId = init.peerId
    this.#onCarry = init.onCarry
    this.#limits = { ...defaultLimits, ...init.limits }
    const { connectionsPerPeer, connections, keptMs } = this.#limits
    this.#sessions = new Sessions(keptMs)
    this.#connections = new Slots({ perPeer: connectionsPerPeer, total: connections })
    // Half as many again may be asking, or be told no: they hold no socket. Beyond that there is no answer.
    this.#streams = new Slots({ perPeer: connectionsPerPeer * 1.5, total: connections * 1.5 })
  }

  handle = async (stream: Stream, { remotePeer, remoteAddr, direct }: Bearer): Promise<void> => {
    const peerId = remotePeer.toString()
    const caller: Caller = { peerId, path: direct ? 'direct' : 'relayed', service: '' }
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
    const { promise: ended, resolve } = Promise.withResolvers<void>()
    const serving: Serving = {
      caller,
      controller,
      remotePeer,
      remoteAddr: direct ? remoteAddr : undefined,
      isAdmitted: false,
      ended,
    }
    this.#servings.add(serving)
    await this.#serve(stream, serving).finally(() => {
      this.#servings.delete(serving)
      this.#streams.leave(peerId)
      resolve()
    })
  }

  replace({ services, allow }: Pick<ServicesInit, 'services' | 'allow'>): void {
    this.#rules = createServiceRules(services, allow)
    this.reconsider()
  }

  has(service: string): boolean {
    return this.#rules.addressOf(service) !== undefined
  }

  reconsider(): void {
    for (const { caller, controller, isAdmitted } of this.#servings)
      if (isAdmitted && !this.#mayGoOn(caller))
        controller.abort(new AbortError('This peer may not use the service any more'))
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const { controller } of this.#servings) controller.abort(new AbortError('The services were stopped'))
    await Promise.all([...this.#servings].map(it => it.ended))
  }

  #mayGoOn({ service, peerId, principal = peerId, ticket }: Caller): boolean {
    if (typeof this.#rules.find(service, principal) !== 'string') return true
    const isBearer = ticket !== undefined && this.#tickets?.isRevoked(ticket) === false
    return isBearer && this.#rules.addressOf(service) !== undefined
  }

  async #serve(stream: Stream, serving: Serving): Promise<void> {
    const { caller, controller } = serving
    const { signal } = controller
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
      if (!(await this.#sessions.resume(caller.peerId, request, stream)))
        await this.#refuse(stream, caller, 'gone', 'gone', signal)
      return
    }
    if (this.#sessions.has(caller.peerId, request)) {
      await this.#refuse(stream, caller, 'malformed', 'malformed', signal)
      return
    }
    const settle = this.#sessions.expect(caller.peerId, request)
    await this.#open(stream, serving, request, settle).finally(settle)
  }

  /** @param settle - called once the session is open, or will not be */
  async #open(stream: Stream, serving: Serving, request: OpenRequest, settle: () => void): Promise<void> {
    const { caller, controller } = serving
    const { signal } = controller
    const address = await this.#admit(request, serving)
    if (typeof address === 'string') {
      settle()
      await this.#refuse(stream, caller, 'refused', address, signal)
    } else if (!this.#connections.enter(caller.peerId)) {
      settle()
      await this.#refuse(stream, caller, 'busy', 'busy', signal)
    } else {
      serving.isAdmitted = true
      await this.#connect(stream, serving, request, address, settle).finally(() =>
        this.#connections.leave(caller.peerId),
      )
    }
  }

  /** Finds the service for a peer that the rules, or what it shows, let in. */
  async #admit(
    { service, ticket, delegation }: OpenRequest,
    { caller, remotePeer }: Serving,
  ): Promise<ServiceAddress | Exclude<ServiceRefusal, 'busy'>> {
    caller.service = service
    if (delegation !== undefined && this.#peerId !== undefined) {
      const principal = await principalOf(delegation, { delegate: remotePeer, listener: this.#peerId })
      if (principal !== undefined) caller.principal = principal
    }
    const peerId = caller.principal ?? caller.peerId
    const found = this.#rules.find(service, peerId)
    if (typeof found !== 'string' || ticket === undefined || this.#tickets === undefined) return found
    const redeemed = await this.#tickets.redeem(ticket, service, peerId, caller.peerId)
    if (typeof redeemed === 'string') return redeemed
    caller.ticket = redeemed.id
    return this.#rules.addressOf(service) ?? 'unknown'
  }

  async #connect(
    stream: Stream,
    serving: Serving,
    request: OpenRequest,
    address: ServiceAddress,
    settle: () => void,
  ): Promise<void> {
    let socket: Socket
    const { caller, controller } = serving
    const { signal } = controller
    const { connectMs } = this.#limits
    try {
      socket = await withDeadline(connectMs, 'The service did not accept in time', signal, signal =>
        connectLocal(address, stream, signal),
      )
    } catch (error) {
      settle()
      if (stream.status === 'open') {
        await this.#refuse(stream, caller, 'unavailable', 'down', signal, error as Error)
      } else {
        this.#report(caller, 'gone', error as Error)
      }
      return
    }
    if (address.proxyHeader === true) socket.write(encodeProxyHeader({ ...caller, ...serving }, address))
    const carried = this.#carry(socket, stream, caller, request, signal)
    settle()
    await carried
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
    const onEnd = this.#onCarry?.(caller, traffic)
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
    onEnd?.()
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
