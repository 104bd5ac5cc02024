/**
 * Keeps a reservation at each relay: makes it, and makes it again after it was lost, with growing pauses.
 *
 * The stock transport makes reservations and refreshes them, but never makes one again
 * (https://github.com/libp2p/js-libp2p/issues/3601), and a node that listens on a relay that is down does not start.
 * So the transport is asked for single reservations, and listened to for their end. A relay that is down is no error:
 * it may come back.
 */

import { RELAY_V2_HOP_CODEC } from '@libp2p/circuit-relay-v2'
import { setTimeout as pause } from 'node:timers/promises'
import { describeFailure } from './describe-failure.ts'
import { circuitAddr, relayIdOf } from './target.ts'
import type {
  ComponentLogger,
  Connection,
  Libp2pEvents,
  Logger,
  PeerId,
  PeerStore,
  Startable,
} from '@libp2p/interface'
import type { AddressManager, ConnectionManager, TransportManager } from '@libp2p/interface-internal'
import type { TypedEventTarget } from 'main-event'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { PeerEvents } from './events.ts'
import type { TokenBearer } from './token-bearer.ts'

/** The first pause before a relay is asked again, in milliseconds; it doubles with each failure, half of it jitter. */
const FIRST_PAUSE_MS = 500

/** The longest pause, in milliseconds: a relay that was away for long is found again within half a minute. */
const LONGEST_PAUSE_MS = 30_000

/** Time to connect to a relay and to be identified, in milliseconds: libp2p's dial time-out (`DIAL_TIMEOUT`). */
const CONNECT_TIMEOUT_MS = 10_000

/** What libp2p hands to a service. */
export interface KeeperComponents {
  peerId: PeerId
  logger: ComponentLogger
  events: TypedEventTarget<Libp2pEvents>
  peerStore: PeerStore
  addressManager: AddressManager
  connectionManager: ConnectionManager
  transportManager: TransportManager
}

/** The part of the stock transport's store that is used here; the package exports no type for it. */
interface ReservationStore
  extends TypedEventTarget<{
    'relay:created-reservation': CustomEvent<StoredReservation>
    'relay:removed': CustomEvent<StoredReservation>
  }> {
  addRelay(relay: PeerId, type: 'configured'): Promise<StoredReservation>
}

interface StoredReservation {
  relay: PeerId
  /** `expire` in seconds since the epoch. */
  details: { reservation: { expire: bigint } }
}

/** One relay's reservation. A libp2p service, so that it begins and ends with the node. */
export class ReservationKeeper implements Startable {
  readonly #components: KeeperComponents
  readonly #relays: readonly Multiaddr[]
  readonly #events: TypedEventTarget<PeerEvents>
  readonly #token: TokenBearer
  readonly #log: Logger
  readonly #held = new Map<string, Multiaddr>()
  #stopped = new AbortController()

  constructor(
    components: KeeperComponents,
    relays: readonly Multiaddr[],
    events: TypedEventTarget<PeerEvents>,
    token: TokenBearer,
  ) {
    this.#components = components
    this.#token = token
    this.#relays = relays
    this.#events = events
    this.#log = components.logger.forComponent('throughnat:reservations')
  }

  /** The circuit addresses at which this peer can be reached now. */
  get addrs(): Multiaddr[] {
    return [...this.#held.values()]
  }

  start(): void {}

  /** The transports have been started: now reservations can be made. */
  afterStart(): void {
    this.#stopped = new AbortController()
    for (const relay of this.#relays) void this.#keep(relay, this.#stopped.signal)
  }

  stop(): void {
    this.#stopped.abort()
    this.#held.clear()
  }

  /** Runs until stopped. Never throws: what goes wrong becomes an event and another try. */
  async #keep(relay: Multiaddr, stopped: AbortSignal): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS
    while (!stopped.aborted) {
      try {
        await this.#hold(relay, stopped)
        pauseMs = FIRST_PAUSE_MS
      } catch (error) {
        if (stopped.aborted) return
        const retryInMs = Math.round(pauseMs * (0.5 + Math.random() / 2))
        this.#log('no reservation at %a - %e', relay, error)
        const detail = { relay: relayIdOf(relay), reason: describeFailure(error), retryInMs }
        this.#events.safeDispatchEvent('reservation:failed', { detail })
        await pause(retryInMs, undefined, { signal: stopped }).catch(() => {})
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
      }
    }
  }

  /** Makes a reservation and resolves when it is lost. Throws if there was none to lose. */
  async #hold(relay: Multiaddr, stopped: AbortSignal): Promise<void> {
    const relayId = relayIdOf(relay)
    const store = this.#store()
    await this.#connect(relay, stopped)
    const ended = watchReservation(store, relayId, stopped, seconds => this.#granted(relay, seconds))
    try {
      await store.addRelay(relayId, 'configured')
    } catch (error) {
      ended.cancel()
      throw error
    }
    await ended.promise
    this.#lost(relay, stopped)
  }

  /**
   * Connects, and waits until the relay has been identified: it has then said how it sees the punch port, and whether
   * it is a relay at all. (The store would never ask again one that was none.)
   */
  async #connect(relay: Multiaddr, stopped: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([stopped, AbortSignal.timeout(CONNECT_TIMEOUT_MS)])
    const connection = await this.#components.connectionManager.openConnection(relay, { signal })
    const protocols = await this.#identified(connection, signal)
    if (!protocols.includes(RELAY_V2_HOP_CODEC)) throw new Error('it does not relay')
    await this.#token.show(connection, { signal })
  }

  async #identified(connection: Connection, signal: AbortSignal): Promise<string[]> {
    const { events, peerStore } = this.#components
    const { promise, resolve, reject } = Promise.withResolvers<string[]>()
    const done = new AbortController()
    events.addEventListener(
      'peer:identify',
      ({ detail }) => {
        if (detail.connection.id === connection.id) resolve(detail.protocols)
      },
      { signal: done.signal },
    )
    connection.addEventListener('close', () => reject(new Error('it closed the connection')), { once: true })
    signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: done.signal })
    try {
      const { protocols } = await peerStore.get(connection.remotePeer)
      return protocols.includes(RELAY_V2_HOP_CODEC) ? protocols : await promise
    } finally {
      done.abort()
      promise.catch(() => {})
    }
  }

  #granted(relay: Multiaddr, expireSeconds: bigint): void {
    const addr = circuitAddr(relay, this.#components.peerId)
    this.#held.set(relay.toString(), addr)
    // told to others by identify
    this.#components.addressManager.confirmObservedAddr(addr, { type: 'observed' })
    const detail = { relay: relayIdOf(relay), addr, expiresAt: new Date(Number(expireSeconds) * 1000) }
    this.#events.safeDispatchEvent('reservation:granted', { detail })
  }

  #lost(relay: Multiaddr, stopped: AbortSignal): void {
    const addr = this.#held.get(relay.toString())
    this.#held.delete(relay.toString())
    if (addr !== undefined) this.#components.addressManager.removeObservedAddr(addr)
    const relayId = relayIdOf(relay)
    const isConnected = this.#components.connectionManager.getConnections(relayId).length > 0
    const reason = stopped.aborted ? 'stopped' : isConnected ? 'expired' : 'disconnected'
    this.#events.safeDispatchEvent('reservation:lost', { detail: { relay: relayId, reason } })
  }

  #store(): ReservationStore {
    const transport = this.#components.transportManager.getTransports().find(it => 'reservationStore' in it)
    if (transport === undefined) throw new TypeError('circuitRelayTransport() is not among the transports')
    return transport.reservationStore as ReservationStore
  }
}

/** Follows one relay's reservation in the store: each grant and refresh, and its end. */
function watchReservation(
  store: ReservationStore,
  relayId: PeerId,
  stopped: AbortSignal,
  onGranted: (expireSeconds: bigint) => void,
): { promise: Promise<void>; cancel: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const done = new AbortController()
  const options = { signal: done.signal }
  store.addEventListener(
    'relay:created-reservation',
    ({ detail }) => {
      if (detail.relay.equals(relayId)) onGranted(detail.details.reservation.expire)
    },
    options,
  )
  const end = (): void => {
    done.abort()
    resolve()
  }
  store.addEventListener('relay:removed', ({ detail }) => detail.relay.equals(relayId) && end(), options)
  stopped.addEventListener('abort', end, options)
  return { promise, cancel: end }
}
