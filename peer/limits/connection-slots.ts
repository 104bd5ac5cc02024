/**
 * Limits the connections that remote peers have open, by rank.
 *
 * When a rank has no free place, the oldest idle connection of the peer with the most of them is closed. A stranger's
 * connection that carries no stream of an application is closed after a while, because relays count circuits, too.
 * Connections that this node has dialled are not touched.
 */

import { isCircuit, lastPeerId, relayAddrOf } from '../../src/addresses/circuit.ts'
import { FairSlots } from '../../src/limits/fair-slots.ts'
import { blockOf } from '../../src/limits/ip-network.ts'
import { newStreamsOf } from '../../src/muxer/new-streams.ts'
import {
  CONNECTION_LIMITS,
  IDLE_CIRCUITS_PER_RELAY,
  LOOSE_STRANGERS,
  MAX_UPGRADE_MS,
  SETTLED_MS,
  STRANGER_IDLE_MS,
} from './connection-limits.ts'
import { isInUse } from './rank.ts'
import type { Connection, Libp2pEvents, PeerId, Startable } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'
import type { Bounds, SlotItem } from '../../src/limits/fair-slots.ts'
import type { PeerRank, Ranks } from './rank.ts'

/** How often connections are looked at, in milliseconds: streams come and go without an event. */
const POLL_MS = 1_000

/** Time for the orderly end of a connection, in milliseconds. */
const CLOSE_MS = 1_000

export interface ConnectionSlotsInit {
  ranks: Ranks
  /** True while a circuit of this peer is being upgraded. */
  isUpgrading: (peerId: PeerId) => boolean
  /** Milliseconds, for tests. @default performance.now */
  now?: () => number
}

/** The libp2p components that the service needs. */
export interface ConnectionSlotsComponents {
  events: TypedEventTarget<Libp2pEvents>
}

/** Connections share places with others of their pool. `used`: a peer that is known has a stream of an application. */
type Pool = PeerRank | 'used'

/** A connection that a remote peer has opened. */
interface Held extends SlotItem {
  readonly connection: Connection
  readonly openedAt: number
  pool: Pool
  /** When it last carried a stream of an application. */
  usedAt: number
  /** When it last was being upgraded. */
  upgradedAt: number
}

/** The service, as libp2p runs it. */
export class ConnectionSlots implements Startable {
  readonly #events: ConnectionSlotsComponents['events']
  readonly #init: ConnectionSlotsInit
  readonly #now: () => number
  readonly #held = new Map<Connection, Held>()
  readonly #slots = new FairSlots<Held>()
  /** Circuits that strangers have left idle since they opened them. */
  readonly #idleCircuits = new FairSlots<Held>()
  #timer: NodeJS.Timeout | undefined

  constructor({ events }: ConnectionSlotsComponents, init: ConnectionSlotsInit) {
    this.#events = events
    this.#init = init
    this.#now = init.now ?? (() => performance.now())
  }

  start(): void {
    this.#events.addEventListener('connection:open', this.#onOpen)
    this.#events.addEventListener('connection:close', this.#onClose)
    this.#timer = setInterval(() => this.look(), POLL_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#events.removeEventListener('connection:open', this.#onOpen)
    this.#events.removeEventListener('connection:close', this.#onClose)
    for (const connection of this.#held.keys()) this.#forget(connection)
  }

  /** Notes a stream of an application that may be closed before the next {@link look}. */
  noteUse(connection: Connection): void {
    const held = this.#held.get(connection)
    if (held !== undefined) held.usedAt = this.#now()
  }

  /** Places all connections again, and closes those that strangers have left idle. */
  look(): void {
    this.#placeAgain()
    if (this.#init.ranks.isStrict) for (const held of this.#held.values()) this.#limitIdle(held)
  }

  #placeAgain(): void {
    for (const held of this.#held.values()) {
      const pool = this.#poolOf(held)
      if (pool !== held.pool) this.#place(held, pool)
      this.#observe(held)
    }
  }

  #onOpen = ({ detail: connection }: CustomEvent<Connection>): void => {
    const newStreams = newStreamsOf(connection)
    if (newStreams !== undefined) {
      const id = connection.remotePeer.toString()
      newStreams.isTrusted = () => this.#init.ranks.of(id) !== 'stranger'
    }
    if (this.#init.ranks.isOwnDial(connection)) return
    const held: Held = {
      connection,
      openedAt: this.#now(),
      pool: 'stranger',
      usedAt: -Infinity,
      upgradedAt: -Infinity,
      lose: () => void this.#close(connection),
    }
    // what has been used since the last look does not make room
    this.#placeAgain()
    this.#held.set(connection, held)
    this.#place(held, this.#poolOf(held))
  }

  #onClose = ({ detail }: CustomEvent<Connection>): void => this.#forget(detail)

  #forget(connection: Connection): void {
    const held = this.#held.get(connection)
    if (held === undefined) return
    this.#slots.release(held)
    this.#idleCircuits.release(held)
    this.#held.delete(connection)
  }

  #observe(held: Held): void {
    const now = this.#now()
    if (held.pool === 'used') held.usedAt = now
    const isYoung = now - held.openedAt < MAX_UPGRADE_MS
    if (isYoung && this.#init.isUpgrading(held.connection.remotePeer)) held.upgradedAt = now
  }

  #poolOf({ connection, usedAt }: Held): Pool {
    const rank = this.#init.ranks.of(connection.remotePeer.toString())
    if (rank === 'named') return rank
    if (isInUse(connection, rank)) return 'used'
    return this.#now() - usedAt < STRANGER_IDLE_MS ? 'known' : rank
  }

  #place(held: Held, pool: Pool): void {
    this.#slots.release(held)
    held.pool = pool
    if (!this.#slots.take(held, this.#boundsOf(held))) held.lose()
  }

  #boundsOf({ connection: { remotePeer, remoteAddr }, pool }: Held): Bounds {
    const key = remotePeer.toString()
    if (pool === 'named') return [{ key: `named ${key}`, max: CONNECTION_LIMITS.perNamedPeer }]
    if (pool !== 'stranger')
      return [
        { key: pool, max: CONNECTION_LIMITS[pool] },
        { key, max: CONNECTION_LIMITS.perKnownPeer },
      ]
    if (!this.#init.ranks.isStrict)
      return [
        { key: pool, max: LOOSE_STRANGERS.strangers },
        { key, max: LOOSE_STRANGERS.perStranger },
      ]
    const { perStranger, strangersPerRelay, strangersPerNetwork, strangers } = CONNECTION_LIMITS
    return [
      { key: pool, max: strangers },
      isCircuit(remoteAddr)
        ? { key: relayOf(remoteAddr), max: strangersPerRelay }
        : { key: blockOf(remoteAddr), max: strangersPerNetwork },
      { key, max: perStranger },
    ]
  }

  #limitIdle(held: Held): void {
    const { connection, openedAt, usedAt, upgradedAt } = held
    const idleMs = held.pool === 'stranger' ? this.#now() - Math.max(openedAt, usedAt, upgradedAt) : 0
    if (idleMs >= STRANGER_IDLE_MS) return void this.#close(connection)
    if (!isCircuit(connection.remoteAddr)) return
    if (idleMs < SETTLED_MS) return this.#idleCircuits.release(held)
    if (this.#idleCircuits.has(held)) return
    this.#idleCircuits.take(held, [
      { key: relayOf(connection.remoteAddr), max: IDLE_CIRCUITS_PER_RELAY },
      { key: connection.remotePeer.toString(), max: IDLE_CIRCUITS_PER_RELAY },
    ])
  }

  /** Never rejects. */
  async #close(connection: Connection): Promise<void> {
    this.#forget(connection)
    try {
      await connection.close({ signal: AbortSignal.timeout(CLOSE_MS) })
    } catch (error) {
      connection.abort(error as Error)
    }
  }
}

function relayOf(circuit: Connection['remoteAddr']): string {
  return lastPeerId(relayAddrOf(circuit))
}
