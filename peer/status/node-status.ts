/** The state of a running node, as one snapshot that can be written as JSON. */

import { isCircuit } from '../../src/addresses/circuit.ts'
import { version } from '../../src/node/version.ts'
import { ping } from '../../src/protocols/ping.ts'
import { systemClock } from '../../src/time/clock.ts'
import { Moment } from '../../src/time/moment.ts'
import { RemotePeers } from './remote-peers.ts'
import { Ledger } from './ledger.ts'
import { anySignalOf } from '../../src/time/deadline.ts'
import type { AbortOptions, Connection } from '@libp2p/interface'
import type { Clock } from '../../src/time/clock.ts'
import type { ReservationState } from '../node/events.ts'
import type { PeerNames } from '../connections/names.ts'
import type { Peer } from '../node/peer.ts'
import type { ServiceRule } from '../tunnel/listener/service-rules.ts'
import type { Usage } from './ledger.ts'
import type { RemotePeer } from './remote-peers.ts'

/** A relay of the node. */
export interface RelaySnapshot {
  relay: string
  addrs: string[]
  state: ReservationState
  /** In milliseconds since the epoch. `null` without a reservation. */
  expiresAt: number | null
  /** How far the relay's clock is ahead of this machine's, in milliseconds, to about a second; null if that is not known. */
  clockAheadMs: number | null
}

/** A remote peer, and the tunnel bytes to it (`bytesOut`) and from it (`bytesIn`). */
export interface PeerSnapshot extends RemotePeer, Usage {
  /** Its name in this user's file of names. */
  name: string | null
  /** Round-trip time in milliseconds, measured for this snapshot. `null` without an answer. */
  rttMs: number | null
  /** Open streams on all connections to it, of tunnels and of libp2p itself. */
  streams: number
}

/** A service that the node exposes. */
export interface ServiceSnapshot extends Usage {
  name: string
  /** The address that the service listens on. */
  place: string
  /** `anyone`, or the number of peers that the rules name. Tickets can admit more. */
  allowed: 'anyone' | number
}

/** A forward of the node. */
export interface ForwardSnapshot extends Usage {
  local: string
  /** Its target, as it was given. Never a ticket. */
  target: string
  service: string
  /** False while the local address cannot be listened on, which is tried again; `lastError` says why. */
  listening: boolean
  /** Number of connections that did not reach the service. */
  failed: number
  lastError: string | null
}

/** The state of a node. */
export interface StatusSnapshot {
  peerId: string
  version: string
  /** In milliseconds since the epoch. */
  startedAt: number
  uptimeMs: number
  addrs: string[]
  relays: RelaySnapshot[]
  peers: PeerSnapshot[]
  services: ServiceSnapshot[]
  forwards: ForwardSnapshot[]
}

/** A service, and who may use it. */
export interface ExposedService {
  place: string
  allowed: ServiceRule | undefined
}

/** What a forward tells the status of itself. */
export interface ForwardStatus {
  /** It listens, at this address. */
  onListening: (local: string) => void
  /** It cannot listen, for this reason, and tries again. */
  onNotListening: (reason: string) => void
  /** A connection did not reach the service. */
  onFailed: (error: Error) => void
}

/** How long to wait for answers to pings, in milliseconds. */
const PING_MS = 2000

/** Collects the state of a node from its start. */
export class NodeStatus {
  /** The traffic of tunnels, by remote peer, by service, and by the local address of a forward. */
  readonly byPeer = new Ledger()
  readonly byService = new Ledger()
  readonly byForward = new Ledger()
  services: ReadonlyMap<string, ExposedService> = new Map()
  names: PeerNames
  readonly #peer: Peer
  readonly #remotePeers: RemotePeers
  readonly #started: Moment
  readonly #forwards: Omit<ForwardSnapshot, keyof Usage>[] = []

  constructor(peer: Peer, names: PeerNames, clock: Clock = systemClock) {
    this.#peer = peer
    this.names = names
    this.#started = new Moment(clock)
    this.#remotePeers = new RemotePeers(peer, clock)
  }

  /** Shows a forward from now on. It does not listen yet. */
  addForward(forward: Pick<ForwardSnapshot, 'local' | 'target' | 'service'>): ForwardStatus {
    const entry = { ...forward, listening: false, failed: 0, lastError: null as string | null }
    this.#forwards.push(entry)
    return {
      onListening: local => Object.assign(entry, { local, listening: true, lastError: null }),
      onNotListening: reason => Object.assign(entry, { listening: false, lastError: reason }),
      onFailed: error => Object.assign(entry, { failed: entry.failed + 1, lastError: error.message }),
    }
  }

  /** Takes a snapshot. It pings all remote peers, and resolves after at most 2 s. */
  async snapshot(options: AbortOptions = {}): Promise<StatusSnapshot> {
    const { peerId, addrs, relays } = this.#peer
    return {
      peerId: peerId.toString(),
      version,
      startedAt: this.#started.wall,
      uptimeMs: Math.round(this.#started.ageMs),
      addrs: addrs.map(String),
      relays: relays.map(({ relay, addrs, state, expiresAt, clockAheadMs }) => ({
        relay: relay.toString(),
        addrs: addrs.map(String),
        state,
        expiresAt: expiresAt?.getTime() ?? null,
        clockAheadMs: clockAheadMs ?? null,
      })),
      peers: await this.#peers(options),
      services: [...this.services].map(([name, { place, allowed }]) => ({
        name,
        place,
        allowed: allowed === 'anyone' ? allowed : (allowed?.size ?? 0),
        ...this.byService.usage(name),
      })),
      forwards: this.#forwards.map(it => ({ ...it, ...this.byForward.usage(it.local) })),
    }
  }

  async #peers(options: AbortOptions): Promise<PeerSnapshot[]> {
    const signal = anySignalOf(AbortSignal.timeout(PING_MS), options.signal)
    return Promise.all(this.#remotePeers.all.map(async remote => this.#look(remote, signal)))
  }

  async #look(remote: RemotePeer, signal: AbortSignal): Promise<PeerSnapshot> {
    const { peerId } = remote
    const open = this.#peer.libp2p
      .getConnections()
      .filter(it => it.status === 'open' && it.remotePeer.toString() === peerId)
    // counted before the ping, which is a stream itself
    const streams = open.reduce((sum, it) => sum + it.streams.length, 0)
    const used = usedOf(open, remote)
    const rttMs = used === undefined ? null : await ping(used, { signal }).catch(() => null)
    return {
      ...remote,
      remoteAddr: used?.remoteAddr.toString() ?? remote.remoteAddr,
      name: this.names.nameOf(peerId) ?? null,
      rttMs,
      streams,
      ...this.byPeer.usage(peerId),
    }
  }
}

/**
 * The connection of the path. No event reports that it was replaced by one of the same kind at another
 * address.
 */
function usedOf(
  open: readonly Connection[],
  { path, remoteAddr }: Pick<RemotePeer, 'path' | 'remoteAddr'>,
): Connection | undefined {
  const ofPath = open.filter(it => path === (isCircuit(it.remoteAddr) ? 'relayed' : 'direct'))
  return ofPath.findLast(it => it.remoteAddr.toString() === remoteAddr) ?? ofPath.at(-1)
}
