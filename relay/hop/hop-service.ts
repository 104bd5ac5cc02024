/**
 * The relay's side of circuit-relay v2: grants reservations and joins circuits.
 *
 * `circuitRelayServer` of @libp2p/circuit-relay-v2 4.2.13 is not used. It sends durations in milliseconds
 * where the specification has seconds. It keeps the reservations of peers that have disconnected (js-libp2p
 * issue 2833). It limits only the number of reservations, and adds up the bytes of both directions. It
 * buffers without limit what a slow peer has not read.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md
 */

import { setImmediate } from 'node:timers/promises'
import { RELAY_V2_HOP_CODEC } from '@libp2p/circuit-relay-v2'
import { TimeoutError } from '@libp2p/interface'
import { pbStream } from '@libp2p/utils'
import { TypedEventEmitter } from 'main-event'
import { raceSignal } from 'race-signal'
import { newStreamsOf, REFUSED_STREAMS } from '../../src/muxer/new-streams.ts'
import { messageBounds } from '../../src/protocols/message-bounds.ts'
import { openAdmission } from '../admission/admission.ts'
import { limitsOf } from '../limits/limits.ts'
import { CircuitRequests } from './circuit-requests.ts'
import { closeWhenUnused } from './close-when-unused.ts'
import { directConnectionTo } from '../../src/addresses/direct.ts'
import { HopMessage, HopType, MAX_MESSAGE_BYTES, Status } from '../../src/protocols/circuit-relay/messages.ts'
import { ReservationRequests } from './reservation-requests.ts'
import { Reservations } from './reservations.ts'
import { relayDefaults } from '../defaults.ts'
import type { AbortOptions, Connection, PeerId, Startable, Stream } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'
import type { Admission } from '../admission/admission.ts'
import type { RelayEvents, RequestAnswered } from '../events.ts'
import type { BytesTransferred } from './circuit-requests.ts'
import type { LimitOverrides } from '../limits/limits.ts'
import type { StatusName } from '../../src/protocols/circuit-relay/messages.ts'
import type { HopComponents, HopContext, HopRequest } from './request.ts'
import type { Reservation } from './reservations.ts'

/**
 * How long a request may take, including the answer of the other peer, in milliseconds (go-libp2p:
 * `ConnectTimeout`).
 */
const REQUEST_TIMEOUT_MS = 30_000

/**
 * Requests that one connection may have open in addition to its circuits, each of which keeps its hop stream.
 * The relay answers this many, and resets more.
 */
const PENDING_REQUESTS = 32

/** Options of {@link circuitRelayHop}. */
export interface HopInit {
  /** @default the limits of the profile `private` */
  limits?: LimitOverrides
  /**
   * How long a reservation lasts unless it is refreshed, in milliseconds (go-libp2p's `ReservationTTL`).
   * The connection of a peer whose reservation expires is closed as soon as it has no streams, so that the peer notices.
   *
   * @default 3600000
   */
  reservationTtlMs?: number
  /** Which peers may reserve and connect. @default everybody */
  admission?: Admission
  /** The target that events are dispatched on. @default the service's own `events` */
  events?: TypedEventTarget<RelayEvents>
}

/** A running hop service. */
export interface HopService {
  readonly events: TypedEventTarget<RelayEvents>
  /** The reservations in force. */
  readonly reservations: Iterable<Reservation> & { readonly size: number }
  /** Number of circuits that are open or being opened. */
  readonly circuits: number
  /** Bytes of all circuits since the start, including open ones. */
  readonly bytesTransferred: BytesTransferred
  /** True after {@link drain} was called: the relay refuses new reservations and circuits. */
  readonly isDraining: boolean
  /**
   * Refuses new reservations and circuits from now on. Resolves when no circuit is left.
   *
   * @throws the reason of `signal`, if that fires first; the service stays in this state
   */
  drain(options?: AbortOptions): Promise<void>
}

/**
 * Makes any libp2p node a relay: `createLibp2p({ services: { identify: identify(), relay: circuitRelayHop() }
 * })`.
 */
export function circuitRelayHop(init: HopInit = {}): (components: HopComponents) => HopService {
  return components => new Hop(components, init)
}

class Hop implements HopService, Startable {
  readonly [Symbol.toStringTag] = 'throughnat-hop'
  readonly events: TypedEventTarget<RelayEvents>
  readonly #context: HopContext
  readonly #reservationRequests: ReservationRequests
  readonly #circuitRequests: CircuitRequests
  #isStarted = false

  constructor(components: HopComponents, init: HopInit) {
    const limits = limitsOf('private', init.limits)
    const events: TypedEventTarget<RelayEvents> = init.events ?? new TypedEventEmitter<RelayEvents>()
    this.events = events
    const reservations = new Reservations({
      limits,
      ttlMs: init.reservationTtlMs ?? relayDefaults.reservationTtlMs,
      onEnded: detail => {
        events.safeDispatchEvent('reservation:ended', { detail })
        if (detail.reason === 'expired' || detail.reason === 'replaced') this.#letNotice(detail.peerId)
      },
    })
    const admission = init.admission ?? openAdmission
    this.#context = { components, limits, admission, reservations, events, isDraining: false }
    this.#reservationRequests = new ReservationRequests(this.#context)
    this.#circuitRequests = new CircuitRequests(this.#context)
  }

  get reservations(): Reservations {
    return this.#context.reservations
  }

  get circuits(): number {
    return this.#circuitRequests.taken
  }

  get bytesTransferred(): BytesTransferred {
    return this.#circuitRequests.bytes
  }

  get isDraining(): boolean {
    return this.#context.isDraining
  }

  async drain({ signal }: AbortOptions = {}): Promise<void> {
    this.#context.isDraining = true
    await raceSignal(this.#circuitRequests.ended(), signal)
  }

  isStarted(): boolean {
    return this.#isStarted
  }

  async start(): Promise<void> {
    const { components, limits, admission } = this.#context
    this.#context.isDraining = false
    await admission.serve?.(components.registrar)
    components.events.addEventListener('connection:open', this.#onConnectionOpen)
    components.events.addEventListener('connection:close', this.#onConnectionClose)
    await components.registrar.handle(RELAY_V2_HOP_CODEC, this.#onStream, {
      maxInboundStreams: limits.maxCircuitsPerPeer + PENDING_REQUESTS,
      // a request over a circuit gets an answer: that it is not permitted
      runOnLimitedConnection: true,
    })
    this.#isStarted = true
  }

  /**
   * Resets the circuits while the connections are still open. If a connection closed first, the peers would
   * take that for the end of the data.
   */
  async beforeStop(): Promise<void> {
    this.#circuitRequests.stop()
    // writes of this turn leave at its end (src/patches/libp2p-tcp/coalesced-writes.ts)
    await setImmediate()
  }

  async stop(): Promise<void> {
    this.#isStarted = false
    const { components, reservations } = this.#context
    components.events.removeEventListener('connection:open', this.#onConnectionOpen)
    components.events.removeEventListener('connection:close', this.#onConnectionClose)
    await components.registrar.unhandle(RELAY_V2_HOP_CODEC)
    this.#circuitRequests.stop()
    reservations.clear()
  }

  /** A peer that the admission names does not share new streams with strangers. */
  #onConnectionOpen = ({ detail: connection }: CustomEvent<Connection>): void => {
    const newStreams = newStreamsOf(connection)
    const { remotePeer: peerId, remoteAddr } = connection
    if (newStreams === undefined) return
    newStreams.isTrusted = () =>
      this.#context.admission.isNamed?.({ peerId, remoteAddr, connection }) ?? false
  }

  /**
   * circuit-v2.md: "The reservation remains valid until its expiration, as long as there is an active
   * connection".
   */
  #onConnectionClose = ({ detail: { remotePeer } }: CustomEvent<Connection>): void => {
    const { components, reservations } = this.#context
    if (!reservations.has(remotePeer)) return
    if (directConnectionTo(components.connectionManager, remotePeer) === undefined) {
      reservations.end(remotePeer, 'disconnected')
    }
  }

  /** Closes the connection of a peer whose reservation has ended, unless it reserves again. */
  #letNotice(peerId: PeerId): void {
    const { components, reservations } = this.#context
    const connection = directConnectionTo(components.connectionManager, peerId)
    if (connection !== undefined) void closeWhenUnused(connection, () => reservations.has(peerId))
  }

  #onStream = async (stream: Stream, connection: Connection): Promise<void> => {
    const ended = new AbortController()
    let isAnswered = false
    const timer = setTimeout(() => {
      const error = new TimeoutError(`The request timed out after ${REQUEST_TIMEOUT_MS / 1000} s`)
      ended.abort(error)
      // a peer that has its answer and keeps the stream open loses it when the time of a request is over
      if (isAnswered) stream.abort(error)
    }, REQUEST_TIMEOUT_MS)
    const onClose = (): void => {
      clearTimeout(timer)
      ended.abort(new Error('The peer disconnected'))
    }
    stream.addEventListener('close', onClose, { once: true })
    try {
      const isCircuit = await this.#handle(stream, connection, ended.signal)
      isAnswered = !isCircuit
      if (isAnswered) return
      clearTimeout(timer)
      stream.removeEventListener('close', onClose)
    } catch (error) {
      stream.abort(error as Error)
    }
  }

  /** Answers one request. Resolves with true if a circuit has taken over the stream. */
  async #handle(stream: Stream, connection: Connection, signal: AbortSignal): Promise<boolean> {
    const messages = pbStream(stream, messageBounds(MAX_MESSAGE_BYTES))
    const peerId = connection.remotePeer
    const newStreams = newStreamsOf(connection)
    let request: RequestAnswered['request'] = 'unknown'
    const report = (status: string): void => {
      this.events.safeDispatchEvent('request:answered', { detail: { peerId, request, status } })
    }
    const answer: HopRequest['answer'] = async fields => {
      report(nameOf(fields.status))
      if (fields.status === Status.OK) newStreams?.credit()
      else newStreams?.charge(REFUSED_STREAMS)
      await messages.write({ ...fields, type: HopType.STATUS }, HopMessage, { signal })
    }
    let message: HopMessage
    try {
      message = await messages.read(HopMessage, { signal })
    } catch (error) {
      if (signal.aborted) {
        report(signal.reason instanceof TimeoutError ? 'TIMED_OUT' : 'GONE')
        throw error
      }
      // not reset: go-yamux would discard the answer
      await answer({ status: Status.MALFORMED_MESSAGE })
      await stream.close({ signal })
      return false
    }
    const hopRequest = { message, connection, signal, answer, takeStream: () => messages.unwrap() }
    if (message.type === HopType.RESERVE) {
      request = 'reserve'
      await this.#reservationRequests.handle(hopRequest)
    } else if (message.type === HopType.CONNECT) {
      request = 'connect'
      if (await this.#circuitRequests.handle(hopRequest)) return true
    } else {
      await answer({ status: Status.UNEXPECTED_MESSAGE })
    }
    await stream.close({ signal })
    return false
  }
}

const names = new Map(Object.entries(Status).map(([name, status]) => [status as number, name as StatusName]))

function nameOf(status: number): string {
  return names.get(status) ?? String(status)
}
