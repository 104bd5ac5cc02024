/**
 * Paths: how each remote peer is reached now. A path is direct once a direct connection has proved itself, and relayed
 * as long as there are only circuits.
 */

import { Circuit } from '@multiformats/multiaddr-matcher'
import { proveConnection } from '../src/holepunch/proof.ts'
import type { Connection, Libp2p, PeerId } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'
import type { HolePunchService } from '../src/holepunch/service.ts'
import type { Path, PathDetail, PeerEvents } from './events.ts'

/** A connection to use, and what it is. */
export interface CurrentPath {
  path: Path
  connection: Connection
}

/** The paths of one node. */
export class Paths {
  readonly #libp2p: Libp2p<{ dcutr: HolePunchService }>
  readonly #events: TypedEventTarget<PeerEvents>
  readonly #isInfrastructure: (peerId: PeerId) => boolean
  readonly #reported = new Map<string, PathDetail>()
  readonly #proved = new WeakSet<Connection>()
  readonly #listening = new AbortController()

  /** Relays are connected to and are no remote peers to anyone: `isInfrastructure` keeps them out of the events. */
  constructor(
    libp2p: Libp2p<{ dcutr: HolePunchService }>,
    events: TypedEventTarget<PeerEvents>,
    isInfrastructure: (peerId: PeerId) => boolean,
  ) {
    this.#libp2p = libp2p
    this.#events = events
    this.#isInfrastructure = isInfrastructure
    const options = { signal: this.#listening.signal }
    libp2p.addEventListener('connection:open', ({ detail }) => this.#onOpen(detail), options)
    libp2p.addEventListener('connection:close', ({ detail }) => this.#report(detail.remotePeer), options)
  }

  /** The best path to a peer, or undefined when it is not connected. */
  to(peerId: PeerId): CurrentPath | undefined {
    const open = this.#libp2p.getConnections(peerId).filter(it => it.status === 'open')
    const direct = open.findLast(it => this.#proved.has(it))
    if (direct !== undefined) return { path: 'direct', connection: direct }
    const circuit = open.findLast(isCircuit)
    return circuit === undefined ? undefined : { path: 'relayed', connection: circuit }
  }

  /** Ends the events. */
  stop(): void {
    this.#listening.abort()
  }

  #onOpen(connection: Connection): void {
    const { remotePeer } = connection
    if (isCircuit(connection)) void this.#adopt(this.#libp2p.services.dcutr.direct(connection))
    else if (this.#libp2p.getConnections(remotePeer).some(isCircuit)) void this.#adopt(proved(connection))
    // there is nothing else that could be used
    else this.#proved.add(connection)
    this.#report(remotePeer)
  }

  /** Uses a direct connection beside a circuit once it has proved itself; a failure is told by holepunch:failed. */
  async #adopt(proof: Promise<Connection>): Promise<void> {
    try {
      const direct = await proof
      this.#proved.add(direct)
      this.#report(direct.remotePeer)
    } catch {}
  }

  #report(peerId: PeerId): void {
    if (this.#isInfrastructure(peerId)) return
    const key = peerId.toString()
    const before = this.#reported.get(key)
    const now = this.to(peerId)
    if (now === undefined) {
      if (this.#reported.delete(key))
        this.#events.safeDispatchEvent('peer:disconnected', { detail: { peerId } })
      return
    }
    const detail = { peerId, path: now.path, remoteAddr: now.connection.remoteAddr }
    this.#reported.set(key, detail)
    if (before === undefined) this.#events.safeDispatchEvent('peer:connected', { detail })
    else if (before.path !== detail.path) this.#events.safeDispatchEvent('path:changed', { detail })
  }
}

/** Time for the proof, in milliseconds (libp2p's ping time-out). */
const PROOF_TIMEOUT_MS = 10_000

async function proved(connection: Connection): Promise<Connection> {
  await proveConnection(connection, { signal: AbortSignal.timeout(PROOF_TIMEOUT_MS) })
  return connection
}

function isCircuit(connection: Connection): boolean {
  return Circuit.exactMatch(connection.remoteAddr)
}
