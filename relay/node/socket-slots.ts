/**
 * Counts the sockets of remotes from their acceptance until they are closed, and makes room when there are too many.
 *
 * A peer is known while it has a reservation or a circuit. Other remotes are strangers, from their first byte on. When the
 * relay is full, the network with the most strangers loses its oldest one, and the newcomer is accepted. So a newcomer is
 * refused only if its network opens too many connections per second, or if all connections belong to known peers.
 */

import { FairShares } from '../../src/limits/fair-shares.ts'
import { networkOf, sharesOf } from '../../src/limits/ip-network.ts'
import { Quota } from '../../src/limits/quota.ts'
import { RequestRates } from '../../src/limits/request-rates.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TypedEventTarget } from 'main-event'
import type { RelayEvents } from '../events.ts'
import type { Limits } from '../limits/limits.ts'

const ALL = 'all'

/** The socket of one remote. */
export interface SocketSlot {
  /** Frees the slot. Call it when the socket is closed. It may be called more than once. */
  release(): void
}

interface Slot extends SocketSlot {
  readonly path: readonly string[]
  /** Closes the socket. */
  readonly close: () => void
  /** Set after the handshake. */
  peer?: string
  isFree: boolean
}

/** What the slots need of the relay. */
export interface SocketSlotsInit {
  limits: Pick<Limits, 'maxConnections' | 'maxConnectionsPerNetwork' | 'connectionsPerSecondPerIp'>
  /** The events of the relay: reservations and circuits make a peer known. */
  events: TypedEventTarget<RelayEvents>
}

export class SocketSlots {
  readonly #limits: SocketSlotsInit['limits']
  readonly #rates: RequestRates
  readonly #quota = new Quota()
  readonly #strangers = new FairShares<Slot>()
  /** The slots of each peer that has finished its handshake. */
  readonly #ofPeer = new Map<string, Set<Slot>>()
  /** How many reservations and circuits each peer has. */
  readonly #uses = new Map<string, number>()

  constructor({ limits, events }: SocketSlotsInit) {
    this.#limits = limits
    this.#rates = new RequestRates(limits.connectionsPerSecondPerIp)
    events.addEventListener('reservation:granted', ({ detail: { peerId, isRefresh } }) => {
      if (!isRefresh) this.#use(peerId, 1)
    })
    events.addEventListener('reservation:ended', ({ detail: { peerId } }) => this.#use(peerId, -1))
    events.addEventListener('circuit:opened', ({ detail: { initiator, responder } }) => {
      for (const peerId of [initiator, responder]) this.#use(peerId, 1)
    })
    events.addEventListener('circuit:closed', ({ detail: { initiator, responder } }) => {
      for (const peerId of [initiator, responder]) this.#use(peerId, -1)
    })
  }

  /** Number of sockets that have a slot. */
  get taken(): number {
    return this.#quota.count(ALL)
  }

  /**
   * Takes a slot for a socket that was accepted.
   *
   * @param close - closes the socket, to make room for another one
   *
   * @returns undefined if the socket must be closed
   */
  take(remoteAddr: Multiaddr, close: () => void): SocketSlot | undefined {
    if (!this.#rates.allow(remoteAddr)) return undefined
    const path = sharesOf(remoteAddr)
    const { maxConnections, maxConnectionsPerNetwork } = this.#limits
    const network = { key: networkOf(remoteAddr).key, max: maxConnectionsPerNetwork }
    const bounds = [network, { key: ALL, max: maxConnections }]
    let free = this.#quota.take(bounds)
    while (free === undefined) {
      const isNetworkFull = this.#quota.firstFull(bounds) === network
      const replaced = isNetworkFull ? this.#strangers.leastUsed(path) : this.#strangers.replaceable(path)
      if (replaced === undefined) return undefined
      replaced.release()
      replaced.close()
      free = this.#quota.take(bounds)
    }
    const slot: Slot = { path, close, isFree: false, release: () => this.#release(slot, free) }
    this.#strangers.add(slot, path)
    return slot
  }

  /** Notes which peer has finished its handshake. */
  identify(held: SocketSlot, peerId: PeerId): void {
    const slot = held as Slot
    if (slot.isFree) return
    const peer = peerId.toString()
    slot.peer = peer
    this.#ofPeer.set(peer, (this.#ofPeer.get(peer) ?? new Set()).add(slot))
    if (this.#uses.has(peer)) this.#strangers.delete(slot)
  }

  #release(slot: Slot, free: () => void): void {
    free()
    slot.isFree = true
    this.#strangers.delete(slot)
    if (slot.peer === undefined) return
    const slots = this.#ofPeer.get(slot.peer)
    slots?.delete(slot)
    if (slots?.size === 0) this.#ofPeer.delete(slot.peer)
  }

  #use(peerId: PeerId, change: 1 | -1): void {
    const peer = peerId.toString()
    const before = this.#uses.get(peer) ?? 0
    const uses = before + change
    if (uses > 0) this.#uses.set(peer, uses)
    else this.#uses.delete(peer)
    const slots = this.#ofPeer.get(peer) ?? []
    if (before === 0) for (const slot of slots) this.#strangers.delete(slot)
    if (uses === 0) for (const slot of slots) this.#strangers.add(slot, slot.path)
  }
}
