/**
 * The listening side of tunnels: connects the remote peers that may to the local services they ask for.
 *
 * The invariant: closed to everyone until a rule opens it, and nothing a remote peer sends, or does not send, makes
 * this side hold more than the limits say, for longer than they say, or tell which services exist.
 * Spec: docs/tunnel-protocol.md
 */
import { AbortError, StreamResetError } from '@libp2p/interface'
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { TypedEventEmitter } from 'main-event'
import type { TypedEventTarget } from 'main-event'
import { raceSignal } from 'race-signal'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Socket } from 'node:net'
import { Admission } from './admission.ts'
import type { AdmissionInit, Caller } from './admission.ts'
import { connectLocal } from './connect-local.ts'
import { withDeadline } from '../../../src/time/deadline.ts'
import { readMessage } from '../wire/message.ts'
import { decodeRequest, encodeResponse } from '../wire/protocol.ts'
import { encodeProxyHeader } from './proxy-header.ts'
import { RankedSlots } from './ranked-slots.ts'
import type { Rank } from './ranked-slots.ts'
import { refuse } from './refuse.ts'
import { START } from '../resume/receive-window.ts'
import { Sessions } from '../resume/sessions.ts'
import type { OpenRequest, TunnelRequest, TunnelStatus } from '../wire/protocol.ts'
import type {
  ServiceOpened,
  ServiceRefusal,
  ServiceRefused,
  ServicesEvents,
  TicketRefusal,
} from './service-events.ts'
import { defaultLimits } from './service-limits.ts'
import type { ServicesLimits } from './service-limits.ts'
import type { ServiceAddress } from './service-rules.ts'
import { resetSocket, splice } from '../wire/splice.ts'
import type { Traffic } from '../wire/splice.ts'

export interface ServicesInit extends AdmissionInit {
  /** Called for each connection that opens, with its counters, which run; what it returns is called at its end. */
  onCarry?: (caller: Readonly<ServiceOpened>, traffic: Traffic) => () => void
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

/** A stream that is open, and what will end it. */
interface Serving {
  caller: Caller
  controller: AbortController
  remotePeer: PeerId
  remoteAddr: Multiaddr | undefined
  isAdmitted: boolean
  /** Gives back the place among those who ask. */
  stopAsking: () => void
  ended: Promise<void>
}

class TunnelServices extends TypedEventEmitter<ServicesEvents> implements Services {
  readonly #admission: Admission
  readonly #onCarry: ServicesInit['onCarry']
  readonly #limits: ServicesLimits
  /** The streams on which a peer asks, or is told no: until it is let in, each is held for nothing. */
  readonly #asking: RankedSlots
  readonly #connections: RankedSlots
  readonly #sessions: Sessions
  readonly #servings = new Set<Serving>()
  #isStopped = false

  constructor(init: ServicesInit) {
    super()
    this.#admission = new Admission(init)
    this.#onCarry = init.onCarry
    this.#limits = { ...defaultLimits, ...init.limits }
    const { connectionsPerPeer, connections, keptMs } = this.#limits
    this.#sessions = new Sessions(keptMs)
    const slots = { perPeer: connectionsPerPeer, total: connections }
    this.#connections = new RankedSlots(slots)
    // As many may ask at once as may be let in. Beyond that there is no answer.
    this.#asking = new RankedSlots(slots)
  }

  handle = async (stream: Stream, { remotePeer, remoteAddr, direct }: Bearer): Promise<void> => {
    const peerId = remotePeer.toString()
    const caller: Caller = { peerId, path: direct ? 'direct' : 'relayed', service: '' }
    if (this.#isStopped) {
      stream.abort(new AbortError('The services were stopped'))
      return
    }
    const stopAsking = this.#asking.take(peerId, this.#rankOf(peerId))
    if (stopAsking === undefined) {
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
      stopAsking,
      ended,
    }
    this.#servings.add(serving)
    await this.#serve(stream, serving).finally(() => {
      this.#servings.delete(serving)
      stopAsking()
      resolve()
    })
  }

  replace(init: Pick<ServicesInit, 'services' | 'allow'>): void {
    this.#admission.replace(init)
    this.reconsider()
  }

  has(service: string): boolean {
    return this.#admission.has(service)
  }

  reconsider(): void {
    for (const { caller, controller, isAdmitted } of this.#servings)
      if (isAdmitted && !this.#admission.mayGoOn(caller))
        controller.abort(new AbortError('This peer may not use the service any more'))
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const { controller } of this.#servings) controller.abort(new AbortError('The services were stopped'))
    await Promise.all([...this.#servings].map(it => it.ended))
  }

  #rankOf(peerId: string): Rank {
    if (this.#admission.names(peerId)) return 'named'
    // it may want to go on with a connection over another path
    return this.#connections.has(peerId) ? 'connected' : 'stranger'
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
    const { caller, controller, stopAsking } = serving
    const { signal } = controller
    const address = await this.#admission.admit(request, caller, serving.remotePeer)
    if (typeof address === 'string') {
      settle()
      await this.#refuse(stream, caller, 'refused', address, signal)
      return
    }
    const { peerId, principal = peerId } = caller
    const leave = this.#connections.take(peerId, this.#admission.names(principal) ? 'named' : 'stranger')
    if (leave === undefined) {
      settle()
      await this.#refuse(stream, caller, 'busy', 'busy', signal)
      return
    }
    serving.isAdmitted = true
    stopAsking()
    await this.#connect(stream, serving, request, address, settle).finally(leave)
  }

  async #connect(
    stream: Stream,
    serving: Serving,
    request: OpenRequest,
    address: ServiceAddress,
    settle: () => void,
  ): Promise<void> {
    let socket: Socket | TicketRefusal
    const { caller, controller } = serving
    const { signal } = controller
    try {
      socket = await this.#reach(address, stream, caller, signal)
    } catch (error) {
      settle()
      if (stream.status === 'open') {
        await this.#refuse(stream, caller, 'unavailable', 'down', signal, error as Error)
      } else {
        this.#report(caller, 'gone', error as Error)
      }
      return
    }
    if (typeof socket === 'string') {
      settle()
      await this.#refuse(stream, caller, 'refused', socket, signal)
      return
    }
    if (address.proxyHeader === true) socket.write(encodeProxyHeader({ ...caller, ...serving }, address))
    const carried = this.#carry(socket, stream, caller, request, signal)
    settle()
    await carried
  }

  /** Connects to the service. A ticket's use is counted only when it has accepted: one that is down costs its bearer nothing. */
  async #reach(
    address: ServiceAddress,
    stream: Stream,
    caller: Caller,
    signal: AbortSignal,
  ): Promise<Socket | TicketRefusal> {
    const { connectMs } = this.#limits
    const socket = await withDeadline(connectMs, 'The service did not accept in time', signal, signal =>
      connectLocal(address, stream, signal),
    )
    try {
      const refusal = await withDeadline(
        connectMs,
        'The use of the ticket could not be written in time',
        signal,
        async signal => raceSignal(this.#admission.count(caller), signal),
      )
      if (refusal === undefined) return socket
      resetSocket(socket)
      return refusal
    } catch (error) {
      resetSocket(socket)
      throw error
    }
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

  async #refuse(
    stream: Stream,
    caller: Caller,
    status: TunnelStatus,
    reason: ServiceRefusal,
    signal: AbortSignal,
    error?: Error,
  ): Promise<void> {
    this.#report(caller, reason, error)
    await refuse(stream, status, this.#limits.requestMs, signal)
  }

  #report(caller: Caller, reason: ServiceRefusal, error?: Error): void {
    const detail: ServiceRefused = { peerId: caller.peerId, service: printable(caller.service), reason }
    if (error !== undefined) detail.error = error
    this.safeDispatchEvent('service:refused', { detail })
  }
}

/** Makes a stranger's text fit for a log: no control characters or line tricks, and no more than a name's length. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 63)
}
