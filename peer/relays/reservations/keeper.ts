/**
 * Keeps reservations at several of the known relays. Each relay has its own state machine, see
 * reservation.ts.
 *
 * The stock transport can also reserve, but it never reserves again after a loss
 * (https://github.com/libp2p/js-libp2p/issues/3601), and a node that listens on an unreachable relay does not
 * start. So it is used for circuits only, and makes no reservations.
 */

import { circuitAddr, isCircuit } from '../../../src/addresses/circuit.ts'
import { preventOwnReservations } from '../../../src/patches/libp2p-circuit-relay-v2/no-own-reservations.ts'
import { systemClock } from '../../../src/time/clock.ts'
import { ReservationSlots } from './slots.ts'
import { Reservation } from './reservation.ts'
import type { Connection, PeerId, PeerStore, Startable } from '@libp2p/interface'
import type { AddressManager, ConnectionManager, TransportManager } from '@libp2p/interface-internal'
import type { TypedEventTarget } from 'main-event'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { PeerEvents, RelayStatus } from '../../node/events.ts'
import type { KnownRelay, RelayList } from '../relay-list.ts'
import type { RelayAuth } from '../relay-auth.ts'
import type { ReservationContext } from './reservation.ts'

/** The libp2p components that the service needs. */
export interface KeeperComponents {
  peerId: PeerId
  peerStore: PeerStore
  addressManager: AddressManager
  connectionManager: ConnectionManager
  transportManager: TransportManager
}

/** What the keeper needs. */
export interface KeeperInit {
  relays: RelayList
  /** Number of relays to have reservations at. */
  count: number
  events: TypedEventTarget<PeerEvents>
  token: RelayAuth
}

/** libp2p closes connections with this tag last when there are too many. */
const TAG = 'throughnat-relay'
const TAG_VALUE = 100

/** The reservations of one peer. As a libp2p service it starts and stops with the node. */
export class ReservationKeeper implements Startable {
  readonly #components: KeeperComponents
  readonly #init: KeeperInit
  readonly #reservations = new Map<string, Reservation>()
  readonly #announced = new Map<string, readonly Multiaddr[]>()
  readonly #context: ReservationContext

  constructor(components: KeeperComponents, init: KeeperInit) {
    this.#components = components
    this.#init = init
    this.#context = this.#createContext()
  }

  /** The circuit addresses at which this peer can be reached now. */
  get addrs(): Multiaddr[] {
    return [...this.#reservations.values()]
      .filter(it => it.state === 'held')
      .flatMap(it => it.addrs.map(addr => circuitAddr(addr, this.#components.peerId)))
  }

  /** The state of each relay. */
  get relays(): RelayStatus[] {
    return [...this.#reservations.values()].map(({ relay, state, expiresAt, clockAheadMs }) => ({
      relay: relay.peerId,
      addrs: relay.addrs,
      state,
      expiresAt,
      clockAheadMs,
    }))
  }

  /** True if this relay may open circuits to this peer, because this peer has requested it. */
  isReservedAt(relay: PeerId): boolean {
    const state = this.#reservations.get(relay.toString())?.state
    return state === 'held' || state === 'reserving'
  }

  start(): void {}

  /** Starts to reserve, after the transports have started. */
  afterStart(): void {
    preventOwnReservations(this.#components.transportManager.getTransports())
    if (this.#init.count === 0) return
    this.#init.relays.addEventListener('relays:changed', this.#update)
    this.#update()
  }

  stop(): void {
    this.#init.relays.removeEventListener('relays:changed', this.#update)
    for (const reservation of this.#reservations.values()) reservation.end('stopped')
    this.#reservations.clear()
  }

  /** Call it when the machine has slept, or with `mayBeGone` when the network has changed. */
  wake(mayBeGone: boolean): void {
    for (const reservation of this.#reservations.values()) reservation.wake(mayBeGone)
  }

  #update = (): void => {
    const relays = new Map(this.#init.relays.relays.map(it => [keyOf(it), it]))
    for (const [id, reservation] of this.#reservations) {
      if (relays.has(keyOf(reservation.relay))) continue
      this.#reservations.delete(id)
      reservation.end('removed')
    }
    for (const relay of relays.values()) {
      const id = relay.peerId.toString()
      if (this.#reservations.has(id)) continue
      const reservation = new Reservation(relay, this.#context)
      this.#reservations.set(id, reservation)
      void reservation.run()
    }
  }

  #createContext(): ReservationContext {
    const { events, token, count } = this.#init
    return {
      self: this.#components.peerId,
      slots: new ReservationSlots(count),
      clock: systemClock,
      connect: async (relay, signal) => this.#connect(relay, signal),
      introduce: async (connection, signal) => token.show(connection, { signal }),
      onState: ({ relay, state }, previous) =>
        events.safeDispatchEvent('relay:state', { detail: { relay: relay.peerId, state, previous } }),
      onGranted: reservation => this.#granted(reservation),
      onLost: (reservation, reason) => this.#lost(reservation, reason),
      onFailed: ({ relay }, reason, retryInMs) =>
        events.safeDispatchEvent('reservation:failed', {
          detail: { relay: relay.peerId, reason, retryInMs },
        }),
    }
  }

  async #connect({ peerId, addrs }: KnownRelay, signal: AbortSignal): Promise<Connection> {
    const connection = await this.#components.connectionManager.openConnection([...addrs], { signal })
    if (isCircuit(connection.remoteAddr)) throw new Error('it can be reached only through another relay')
    void this.#tag(peerId, { [TAG]: { value: TAG_VALUE } })
    return connection
  }

  #granted(reservation: Reservation): void {
    const { relay, addrs, expiresAt } = reservation
    const circuits = addrs.map(addr => circuitAddr(addr, this.#components.peerId))
    this.#announced.set(relay.peerId.toString(), circuits)
    // identify announces these addresses to other peers
    for (const addr of circuits)
      this.#components.addressManager.confirmObservedAddr(addr, { type: 'observed' })
    const [addr] = circuits
    if (addr === undefined || expiresAt === undefined) return
    this.#init.events.safeDispatchEvent('reservation:granted', {
      detail: { relay: relay.peerId, addr, expiresAt },
    })
  }

  #lost({ relay }: Reservation, reason: PeerEvents['reservation:lost']['detail']['reason']): void {
    const id = relay.peerId.toString()
    for (const addr of this.#announced.get(id) ?? []) this.#components.addressManager.removeObservedAddr(addr)
    this.#announced.delete(id)
    if (reason !== 'stopped') void this.#tag(relay.peerId, { [TAG]: undefined })
    this.#init.events.safeDispatchEvent('reservation:lost', { detail: { relay: relay.peerId, reason } })
  }

  async #tag(relay: PeerId, tags: Parameters<PeerStore['merge']>[1]['tags'] & object): Promise<void> {
    await this.#components.peerStore.merge(relay, { tags }).catch(() => {})
  }
}

function keyOf({ peerId, addrs }: KnownRelay): string {
  return [peerId, ...addrs].join(' ')
}
