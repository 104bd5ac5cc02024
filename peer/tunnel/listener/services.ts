/**
 * The listening side of tunnels: connects remote peers to the local services that they request and may use.
 *
 * Invariants: a service is closed to everyone until a rule or a ticket opens it. Whatever a remote peer
 * sends, or does not send, this side holds no more than the limits allow, for no longer, and does not reveal
 * which services exist.
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
import QuickLRU from 'quick-lru'
import { RankedSlots } from './ranked-slots.ts'
import { RequestSlots } from './request-slots.ts'
import type { PeerRank } from '../../limits/rank.ts'
import { Refusal, refuse } from './refuse.ts'
import { START } from '../resume/receive-window.ts'
import { Sessions } from '../resume/sessions.ts'
import type { OpenRequest, TunnelRequest } from '../wire/protocol.ts'
import type { ServiceOpened, ServiceRefusal, ServiceRefused, ServicesEvents } from './service-events.ts'
import { ADMITTED_MS, defaultLimits, FRUITLESS_REQUESTS, MAX_ADMITTED } from './service-limits.ts'
import { newStreamsOf } from '../../../src/muxer/new-streams.ts'
import type { NewStreams } from '../../../src/muxer/new-streams.ts'
import { TokenBuckets } from '../../../src/limits/token-buckets.ts'
import type { ServicesLimits } from './service-limits.ts'
import type { ServiceAddress } from './service-rules.ts'
import { resetSocket, splice } from '../wire/splice.ts'
import type { Traffic } from '../wire/splice.ts'

export interface ServicesInit extends AdmissionInit {
  /**
   * Called for each opened connection with its live counters. The function that it returns is called at the
   * end.
   */
  onCarry?: (caller: Readonly<ServiceOpened>, traffic: Traffic) => () => void
  limits?: Partial<ServicesLimits>
}

/** Answers tunnel requests. Register `handle` with `tunnelHandlerOptions`. */
export interface Services extends TypedEventTarget<ServicesEvents> {
  /** Handles one stream of `TUNNEL_PROTOCOL`. Resolves when the stream is closed. Never rejects. */
  handle: (stream: Stream, connection: Bearer) => Promise<void>
  /**
   * Replaces services and rules. Resets open connections that they no longer allow.
   *
   * @throws {InvalidConfigError} as {@link createServices} does; nothing changes then
   */
  replace: (init: Pick<ServicesInit, 'services' | 'allow'>) => void
  /** True if there is a service with this name. */
  has: (service: string) => boolean
  /** The rank of a peer, by its id as base58 text: `known` if it uses a service, or did so in the last 10 min. */
  rankOf: (peerId: string) => PeerRank
  /** Resets open connections that are no longer allowed, for example after a ticket was revoked. */
  reconsider: () => void
  /**
   * Refuses new streams and resets the open ones. Resolves when all are closed. It may be called more than
   * once.
   */
  stop: () => Promise<void>
}

/**
 * Makes the listening side of the tunnels. It uses no resources until it handles a stream.
 *
 * @throws {InvalidConfigError} if a name, an address or a peer id is wrong, or a rule is for a missing
 * service
 */
export function createServices(init: ServicesInit): Services {
  return new TunnelServices(init)
}

/** The parts of a libp2p connection that are used. */
export type Bearer = Pick<Connection, 'remotePeer' | 'remoteAddr' | 'direct'> &
  Partial<Pick<Connection, 'abort'>>

/** An open stream, and the controller that ends it. */
interface Serving {
  caller: Caller
  controller: AbortController
  remotePeer: PeerId
  remoteAddr: Multiaddr | undefined
  newStreams: NewStreams | undefined
  isAdmitted: boolean
}

class TunnelServices extends TypedEventEmitter<ServicesEvents> implements Services {
  readonly #admission: Admission
  readonly #onCarry: ServicesInit['onCarry']
  readonly #limits: ServicesLimits
  /** Slots of streams with a request or a refusal in progress. Nobody has admitted them yet. */
  readonly #asking: RequestSlots
  readonly #connections: RankedSlots
  /** The requests of strangers that were refused or broke off. */
  readonly #fruitless = new TokenBuckets(FRUITLESS_REQUESTS)
  readonly #sessions: Sessions
  /** The peers that were admitted lately. */
  readonly #admitted = new QuickLRU<string, true>({ maxSize: MAX_ADMITTED, maxAge: ADMITTED_MS })
  /** The open streams, and the end of each. */
  readonly #servings = new Map<Serving, Promise<void>>()
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
    // as many requests as connections may be in progress; more get no answer
    this.#asking = new RequestSlots(slots)
  }

  handle = async (stream: Stream, bearer: Bearer): Promise<void> => {
    const { remotePeer, remoteAddr, direct } = bearer
    if (this.#isStopped) {
      stream.abort(new AbortError('The services were stopped'))
      return
    }
    const serving: Serving = {
      caller: { peerId: remotePeer.toString(), path: direct ? 'direct' : 'relayed', service: '' },
      controller: new AbortController(),
      remotePeer,
      remoteAddr: direct ? remoteAddr : undefined,
      newStreams: newStreamsOf(bearer),
      isAdmitted: false,
    }
    const ended = this.#serve(stream, serving)
    this.#servings.set(serving, ended)
    await ended.finally(() => this.#servings.delete(serving))
    if (!serving.isAdmitted) this.#countFruitless(bearer)
  }

  replace(init: Pick<ServicesInit, 'services' | 'allow'>): void {
    this.#admission.replace(init)
    this.reconsider()
  }

  has(service: string): boolean {
    return this.#admission.has(service)
  }

  reconsider(): void {
    for (const { caller, controller, isAdmitted } of this.#servings.keys())
      if (isAdmitted && !this.#admission.mayGoOn(caller))
        controller.abort(new AbortError('This peer may no longer use the service'))
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const { controller } of this.#servings.keys())
      controller.abort(new AbortError('The services were stopped'))
    await Promise.all(this.#servings.values())
  }

  rankOf(peerId: string): PeerRank {
    if (this.#admission.names(peerId)) return 'named'
    // it may want to resume a connection over another path, or open the next one
    return this.#connections.has(peerId) || this.#admitted.has(peerId) ? 'known' : 'stranger'
  }

  /** A stranger whose requests lead to nothing, again and again, loses its connection: refusing costs more than asking. */
  #countFruitless(bearer: Bearer): void {
    const peerId = bearer.remotePeer.toString()
    if (this.#isStopped || this.rankOf(peerId) !== 'stranger') return
    this.#fruitless.take(peerId)
    if (this.#fruitless.waitMs(peerId) > 0)
      bearer.abort?.(new AbortError('Too many requests for services led to nothing'))
  }

  /** Serves one stream from its first byte to its end. */
  async #serve(stream: Stream, serving: Serving): Promise<void> {
    const { caller, remotePeer } = serving
    const { peerId } = caller
    const { signal } = serving.controller
    // 1. Take a slot for the request. A stream without one is not even read.
    const rank = this.rankOf(peerId)
    const onLost = (): void => serving.controller.abort(new Refusal('none', 'busy'))
    using asking = this.#asking.take(peerId, rank, onLost)
    if (asking === undefined) {
      stream.abort(new StreamResetError('Too many tunnel streams are open'))
      this.#report(caller, 'busy')
      return
    }
    using connected = new DisposableStack()
    try {
      // 2. Read the request.
      const request = await this.#read(stream, signal)
      // 3. If it is for an open session, resume that one.
      if (!('service' in request)) {
        if (await this.#sessions.resume(peerId, request, stream)) return
        throw new Refusal('gone', 'gone')
      }
      if (this.#sessions.has(peerId, request)) throw new Refusal('malformed', 'malformed')
      let carried: Promise<void>
      {
        // 4. Until the session is open or refused, requests to resume it wait. They do not wait for the dialer to
        //    read the refusal, nor for the end of the session.
        using _expected = this.#sessions.expect(peerId, request)
        // 5. Find the service, if this peer may use it.
        const address = await this.#admission.admit(request, caller, remotePeer)
        if (typeof address === 'string') throw new Refusal('refused', address)
        // 6. Exchange the slot of the request for that of a connection.
        const { principal = peerId } = caller
        const slot = this.#connections.take(peerId, this.#admission.names(principal) ? 'named' : 'stranger')
        if (slot === undefined) throw new Refusal('busy', 'busy')
        connected.use(slot)
        serving.isAdmitted = true
        serving.newStreams?.credit()
        this.#admitted.set(peerId, true)
        asking.dispose()
        // 7. Connect to the service.
        const socket = await this.#reach(address, stream, caller, signal)
        if (address.proxyHeader === true) socket.write(encodeProxyHeader({ ...caller, ...serving }, address))
        // 8. Open the session, answer, and begin to carry.
        carried = this.#carry(socket, stream, caller, request, signal)
      }
      // 9. Carry until the end.
      await carried
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      this.#report(caller, error.reason, error.cause)
      await refuse(stream, error, this.#limits.requestMs, signal)
    }
  }

  async #read(stream: Stream, signal: AbortSignal): Promise<TunnelRequest> {
    const late = 'The remote peer did not send a request in time'
    try {
      const body = await withDeadline(this.#limits.requestMs, late, signal, signal =>
        readMessage(stream, { signal }),
      )
      return decodeRequest(body)
    } catch (cause) {
      if (cause instanceof Refusal) throw cause
      const { name } = cause as Error
      if (name === 'InvalidMessageError') throw new Refusal('malformed', 'malformed', cause as Error)
      throw new Refusal('none', name === 'TimeoutError' ? 'silent' : 'gone', cause as Error)
    }
  }

  /**
   * Connects to the service. Counts the use of a ticket after the service has accepted, so a failed attempt
   * costs nothing.
   */
  async #reach(
    address: ServiceAddress,
    stream: Stream,
    caller: Caller,
    signal: AbortSignal,
  ): Promise<Socket> {
    const { connectMs } = this.#limits
    let socket: Socket | undefined
    try {
      socket = await withDeadline(connectMs, 'The service did not accept in time', signal, signal =>
        connectLocal(address, stream, signal),
      )
      const refusal = await withDeadline(
        connectMs,
        'The use of the ticket could not be written in time',
        signal,
        async signal => raceSignal(this.#admission.count(caller), signal),
      )
      if (refusal === undefined) return socket
      throw new Refusal('refused', refusal)
    } catch (cause) {
      if (socket !== undefined) resetSocket(socket)
      if (cause instanceof Refusal) throw cause
      const isThere = stream.status === 'open'
      throw new Refusal(isThere ? 'unavailable' : 'none', isThere ? 'down' : 'gone', cause as Error)
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

  #report(caller: Caller, reason: ServiceRefusal, error?: Error): void {
    const detail: ServiceRefused = { peerId: caller.peerId, service: printable(caller.service), reason }
    if (error !== undefined) detail.error = error
    this.safeDispatchEvent('service:refused', { detail })
  }
}

/** Makes a remote's text safe to log: no control characters, and at most the length of a name. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 63)
}
