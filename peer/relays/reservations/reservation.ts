/**
 * The reservation at one relay, as a state machine. It never gives up and never throws: a failure becomes an
 * event and another attempt.
 *
 *     standby --> connecting --> reserving --> held
 *        ^             |             |          |
 *        |             v             v          v
 *        +--------------- waiting <-------------+
 *
 * `standby`: enough other relays have a reservation. `waiting`: it failed or was lost, and is requested again
 * after a pause.
 */

import { TCP } from '@multiformats/multiaddr-matcher'
import { endpointOf } from '../../../src/addresses/endpoint.ts'
import { resolveHost } from '../../../src/addresses/resolve-host.ts'
import { describeFailure } from '../../connections/describe-failure.ts'
import { checkPresence } from '../../connections/liveness.ts'
import { Backoff } from '../../../src/time/backoff.ts'
import { requestReservation, ReservationRefusedError } from './request.ts'
import { withDeadline } from '../../../src/time/deadline.ts'
import type { Connection, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { ReservationLost, ReservationState } from '../../node/events.ts'
import type { Clock } from '../../../src/time/clock.ts'
import type { KnownRelay } from '../relay-list.ts'
import type { Lifetime } from './lifetime.ts'
import type { ReservationSlots } from './slots.ts'

/** Time to connect to a relay, in milliseconds. SYNs are repeated after 1, 3 and 7 s (RFC 6298). */
const CONNECT_TIMEOUT_MS = 8_000

/** Time for a relay's answer, in milliseconds. */
const ANSWER_TIMEOUT_MS = 5_000

/**
 * How often to check that a relay still answers, in milliseconds, where the kernel cannot do it (over
 * WebSocket).
 */
const CHECK_INTERVAL_MS = 15_000

/** A refresh that is due in less than this, in milliseconds, is due: timers and clocks do not tick together. */
const TICK_MS = 50

/**
 * A reservation that is lost sooner than this, in milliseconds, counts as failed: the pauses continue to
 * grow.
 */
const PROVEN_AFTER_MS = 10_000

/** What a reservation needs from its owner. */
export interface ReservationContext {
  readonly self: PeerId
  readonly slots: ReservationSlots
  readonly clock: Clock
  /** Connects, or resolves with the existing connection. */
  connect(relay: KnownRelay, signal: AbortSignal): Promise<Connection>
  /** Authenticates this peer to the relay before the request. */
  introduce(connection: Connection, signal: AbortSignal): Promise<void>
  onState(reservation: Reservation, previous: ReservationState): void
  onGranted(reservation: Reservation): void
  onLost(reservation: Reservation, reason: ReservationLost['reason']): void
  onFailed(reservation: Reservation, reason: string, retryInMs: number): void
}

/** The reservation at one relay. */
export class Reservation {
  readonly relay: KnownRelay
  readonly #context: ReservationContext
  readonly #backoff: Backoff
  readonly #ended = new AbortController()
  #state: ReservationState = 'standby'
  #connection: Connection | undefined
  #lifetime: Lifetime | undefined
  #woken = new AbortController()
  #mayBeGone = false
  #endedBecause: 'stopped' | 'removed' = 'stopped'

  constructor(relay: KnownRelay, context: ReservationContext) {
    this.relay = relay
    this.#context = context
    this.#backoff = new Backoff(() => context.clock.now())
  }

  get state(): ReservationState {
    return this.#state
  }

  /** When it ends unless it is refreshed; undefined while there is none. */
  get expiresAt(): Date | undefined {
    return this.#state === 'held' ? this.#lifetime?.expiresAt : undefined
  }

  /** How far the relay's clock was ahead of this machine's, in milliseconds, when the relay was last asked; undefined if it does not tell. */
  get clockAheadMs(): number | undefined {
    return this.#lifetime?.clockAheadMs
  }

  /** The relay's addresses. The one in use comes first. */
  get addrs(): readonly Multiaddr[] {
    const connected = this.#connection?.remoteAddr
    const isConnected = (addr: Multiaddr): boolean => connected?.equals(addr) === true
    return [...this.relay.addrs.filter(isConnected), ...this.relay.addrs.filter(addr => !isConnected(addr))]
  }

  /** Runs until {@link end}. Never rejects. */
  async run(): Promise<void> {
    const { signal } = this.#ended
    while (!signal.aborted) {
      try {
        const release = await this.#takeSlot(signal)
        try {
          await this.#hold(signal)
        } finally {
          release()
        }
      } catch (error) {
        if (!signal.aborted) await this.#failed(error)
      }
    }
  }

  /**
   * Ends a pause immediately, and refreshes a reservation whose time passed while the machine slept.
   *
   * @param mayBeGone - the network has changed: also checks that the relay still answers
   */
  wake(mayBeGone: boolean): void {
    this.#mayBeGone ||= mayBeGone
    this.#woken.abort()
  }

  /** Ends it, because the peer stops or the relay was removed. */
  end(reason: 'stopped' | 'removed'): void {
    this.#endedBecause = reason
    this.#ended.abort(new Error(`the reservation was ${reason}`))
  }

  async #takeSlot(signal: AbortSignal): Promise<() => void> {
    if (this.#context.slots.isFull) this.#enter('standby')
    return this.#context.slots.take(await hostsOf(this.relay, signal), signal)
  }

  async #failed(error: unknown): Promise<void> {
    const retryInMs = this.#backoff.next()
    this.#enter('waiting')
    this.#context.onFailed(this, describeFailure(error), retryInMs)
    await this.#sleep(retryInMs, this.#ended.signal)
  }

  /** Makes a reservation and keeps it. Resolves when it is lost. Throws if it cannot be made. */
  async #hold(signal: AbortSignal): Promise<void> {
    this.#enter('connecting')
    const connection = await withDeadline(CONNECT_TIMEOUT_MS, 'No answer in time', signal, signal =>
      this.#context.connect(this.relay, signal),
    )
    this.#enter('reserving')
    await this.#reserve(connection, signal)
    this.#connection = connection
    const { clock } = this.#context
    const heldSince = clock.now()
    const reason = await this.#keep(connection, signal)
    this.#connection = undefined
    if (!signal.aborted) this.#enter('waiting')
    this.#context.onLost(this, reason)
    const wasProven = clock.now() - heldSince >= PROVEN_AFTER_MS
    if (wasProven) this.#backoff.reset()
    else await this.#sleep(this.#backoff.next(), signal)
  }

  async #reserve(connection: Connection, signal: AbortSignal): Promise<void> {
    const timeout = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)])
    try {
      await this.#context.introduce(connection, timeout)
      const { self, clock } = this.#context
      this.#lifetime = await requestReservation(connection, self, clock, { signal: timeout })
    } catch (error) {
      // the next attempt must not use a connection that does not answer
      if (timeout.aborted && !signal.aborted) connection.abort(error as Error)
      throw error
    }
    this.#enter('held')
    this.#context.onGranted(this)
  }

  /** Refreshes the reservation while possible. Resolves with the reason for its loss. */
  async #keep(connection: Connection, signal: AbortSignal): Promise<ReservationLost['reason']> {
    const closed = new AbortController()
    connection.addEventListener('close', () => closed.abort(), { once: true })
    const end = AbortSignal.any([closed.signal, signal])
    const checkMs = isWatchedByKernel(connection) ? Infinity : CHECK_INTERVAL_MS
    while (connection.status === 'open' && !signal.aborted) {
      const isOver = await this.#sleep(Math.min(this.#refreshInMs, checkMs), end)
      if (isOver) break
      try {
        if (this.#refreshInMs < TICK_MS) await this.#reserve(connection, signal)
        else if (this.#mayBeGone || checkMs === CHECK_INTERVAL_MS) await checkPresence(connection, signal)
      } catch (error) {
        if (connection.status === 'open' && !signal.aborted && isRefusal(error)) return 'refused'
        connection.abort(error as Error)
      }
      this.#mayBeGone = false
    }
    return signal.aborted ? this.#endedBecause : 'disconnected'
  }

  /** Waits until the time is over or {@link wake} is called. Resolves with true if `end` has fired. */
  async #sleep(ms: number, end: AbortSignal): Promise<boolean> {
    const signal = AbortSignal.any([end, this.#woken.signal])
    await this.#context.clock.sleep(ms, signal)
    if (this.#woken.signal.aborted) this.#woken = new AbortController()
    return end.aborted
  }

  get #refreshInMs(): number {
    return this.#lifetime?.refreshInMs ?? 0
  }

  #enter(state: ReservationState): void {
    const previous = this.#state
    if (previous === state) return
    this.#state = state
    this.#context.onState(this, previous)
  }
}

function isRefusal(error: unknown): boolean {
  return (error as Error).name === ReservationRefusedError.name
}

/** True over TCP, see src/transport/keep-alive.ts. */
function isWatchedByKernel({ remoteAddr }: Connection): boolean {
  return TCP.matches(remoteAddr) && !remoteAddr.toString().includes('/ws')
}

/** Where a relay is now: two names can stand for one host. A name that cannot be resolved stands for itself. */
async function hostsOf({ addrs }: KnownRelay, signal: AbortSignal): Promise<string[]> {
  const resolved = await Promise.all(
    addrs.map(async addr => resolveHost(addr, { signal }).catch(() => [addr])),
  )
  return resolved.flat().map(addr => endpointOf(addr).host)
}
