/**
 * Limits the connections that are being authenticated.
 *
 * Who opens a socket is unknown, so sockets are counted by network. A relay tells whose circuit it is, and the handshake
 * proves it, so circuits are counted by relay, rank and peer. The oldest one makes room for a new one: a handshake takes
 * some round trips, and what is old is silent.
 */

import { isCircuit, lastPeerId, relayAddrOf } from '../../src/addresses/circuit.ts'
import { FairSlots } from '../../src/limits/fair-slots.ts'
import { blockOf } from '../../src/limits/ip-network.ts'
import { RequestRates } from '../../src/limits/request-rates.ts'
import { PENDING_LIMITS } from './connection-limits.ts'
import type { ConnectionGater, MultiaddrConnection, PeerId } from '@libp2p/interface'
import type { Bounds, SlotItem } from '../../src/limits/fair-slots.ts'
import type { Ranks } from './rank.ts'

export interface PendingConnectionsInit {
  ranks: Pick<Ranks, 'of'>
  /** True if this node has a reservation at the relay. Other relays cannot hand over circuits. */
  isReservedAt: (relay: PeerId) => boolean
}

/** A connection gater that counts each connection from its acceptance until it is authenticated. */
export class PendingConnections implements ConnectionGater {
  readonly #init: PendingConnectionsInit
  readonly #slots = new FairSlots<SlotItem>()
  readonly #items = new WeakMap<MultiaddrConnection, SlotItem>()
  readonly #socketRates = new RequestRates(PENDING_LIMITS.socketsPerSecond)
  /** By the address of the relay. */
  readonly #strangerRates = new RequestRates(PENDING_LIMITS.circuitsPerSecond)

  constructor(init: PendingConnectionsInit) {
    this.#init = init
  }

  denyInboundRelayedConnection = (relay: PeerId): boolean => !this.#init.isReservedAt(relay)

  denyInboundConnection = (connection: MultiaddrConnection): boolean => {
    if (!this.#isAtAllowedRate(connection)) return true
    const item: SlotItem = {
      lose: () => connection.abort(new Error('a newer connection has taken its place')),
    }
    this.#items.set(connection, item)
    connection.addEventListener('close', () => this.#slots.release(item), { once: true })
    return !this.#slots.take(item, this.#boundsOf(connection))
  }

  denyInboundUpgradedConnection = (_peerId: PeerId, connection: MultiaddrConnection): boolean => {
    const item = this.#items.get(connection)
    if (item !== undefined) this.#slots.release(item)
    return false
  }

  #isAtAllowedRate({ remoteAddr }: MultiaddrConnection): boolean {
    if (!isCircuit(remoteAddr)) return this.#socketRates.allow(remoteAddr)
    return this.#init.ranks.of(lastPeerId(remoteAddr)) !== 'stranger' || this.#strangerRates.allow(remoteAddr)
  }

  #boundsOf({ remoteAddr }: MultiaddrConnection): Bounds {
    const { sockets, socketsPerNetwork, circuitsPerPeer, circuitsPerRelay } = PENDING_LIMITS
    if (!isCircuit(remoteAddr)) {
      return [
        { key: 'sockets', max: sockets },
        { key: blockOf(remoteAddr), max: socketsPerNetwork },
      ]
    }
    const peerId = lastPeerId(remoteAddr)
    const relay = lastPeerId(relayAddrOf(remoteAddr))
    return [
      { key: `${this.#init.ranks.of(peerId)} over ${relay}`, max: circuitsPerRelay },
      { key: peerId, max: circuitsPerPeer },
    ]
  }
}
