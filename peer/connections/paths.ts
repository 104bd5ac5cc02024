/**
 * Paths: how each remote peer is reached now. A path is direct once a direct connection has proved itself, and relayed
 * as long as there are only circuits.
 */

import { isCircuit, relayAddrOf, relayIdOf } from '../../src/addresses/circuit.ts'
import { isProved, proveOrAbort } from '../../src/holepunch/paths/proof.ts'
import { isUnacknowledged } from '../../src/transport/keep-alive.ts'
import { checkPresence } from './liveness.ts'
import type { Connection, Libp2p, PeerId } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'
import type { HolePunchService } from '../../src/holepunch/service.ts'
import type { Path, PathDetail, PeerEvents } from '../node/events.ts'

/** A connection to use, and what it is. */
export interface CurrentPath {
  path: Path
  connection: Connection
}

/** What paths need of their node. */
export interface PathsInit {
  events: TypedEventTarget<PeerEvents>
  /** Relays are connected to and are no remote peers to anyone: they are kept out of the events. */
  isInfrastructure: (peerId: PeerId) => boolean
  /** The last path to a peer was lost, and neither side has closed it. */
  onLost: (peerId: PeerId) => void
  /** A direct path was lost, and a circuit is left that carries data. */
  onFallenBack: (peerId: PeerId) => void
}

/** The paths of one node. */
export class Paths {
  readonly #libp2p: Libp2p<{ dcutr: HolePunchService }>
  readonly #init: PathsInit
  readonly #reported = new Map<string, PathDetail>()
  readonly #proved = new WeakSet<Connection>()
  /** Connections that came beside a circuit, of which its upgrade has not chosen them. */
  readonly #unchosen = new WeakSet<Connection>()
  readonly #listening = new AbortController()

  constructor(libp2p: Libp2p<{ dcutr: HolePunchService }>, init: PathsInit) {
    this.#libp2p = libp2p
    this.#init = init
    const options = { signal: this.#listening.signal }
    libp2p.addEventListener('connection:open', ({ detail }) => this.#onOpen(detail), options)
    libp2p.addEventListener('connection:close', ({ detail }) => this.#report(detail.remotePeer), options)
  }

  /** The best path to a peer, or undefined when it is not connected. */
  to(peerId: PeerId): CurrentPath | undefined {
    const open = this.#libp2p.getConnections(peerId).filter(it => it.status === 'open')
    const proved = open.filter(it => this.#isPath(it))
    // a punch can have several, and the other side is more likely to keep the one that was chosen
    const direct = proved.findLast(it => !this.#unchosen.has(it)) ?? proved.at(-1)
    if (direct !== undefined) return { path: 'direct', connection: direct }
    const circuit = open.findLast(isRelayed)
    return circuit === undefined ? undefined : { path: 'relayed', connection: circuit }
  }

  /** The circuits to a peer. */
  circuitsTo(peerId: PeerId): Connection[] {
    return this.#libp2p.getConnections(peerId).filter(it => isRelayed(it) && it.status === 'open')
  }

  /** True while a circuit to this peer may still become a direct path. */
  isUpgrading(peerId: PeerId): boolean {
    return this.#libp2p.services.dcutr.isUpgrading(peerId)
  }

  /** Ends the events. */
  stop(): void {
    this.#listening.abort()
  }

  #onOpen(connection: Connection): void {
    const { remotePeer } = connection
    connection.addEventListener('close', ({ error }) => this.#onClose(connection, error), { once: true })
    if (isRelayed(connection)) {
      void this.#adopt(this.#chosen(connection))
    } else if (this.#libp2p.getConnections(remotePeer).some(isRelayed)) {
      this.#unchosen.add(connection)
      void this.#adopt(this.#prove(connection))
    } else {
      // the remote has chosen it, and there is nothing else that could be used
      if (connection.direction === 'inbound') this.#proved.add(connection)
      if (!this.#init.isInfrastructure(remotePeer)) void this.#adopt(this.#prove(connection))
    }
    this.#report(remotePeer)
  }

  /** A connection that failed was lost; so was a circuit whose relay is gone. What was closed on purpose has no error. */
  #onClose(connection: Connection, error: Error | undefined): void {
    const { remotePeer } = connection
    if (this.#listening.signal.aborted || this.#init.isInfrastructure(remotePeer)) return
    if (error !== undefined && !isRelayed(connection)) this.#noteLoss(connection, error)
    // the relay's connection may close a little later than what it carried
    setImmediate(() => {
      const isLost = error !== undefined || (isRelayed(connection) && !this.#isRelayThere(connection))
      if (isLost && this.to(remotePeer) === undefined) this.#init.onLost(remotePeer)
      else if (isLost && this.#isPath(connection)) void this.#fallBack(remotePeer)
    })
  }

  #noteLoss({ remotePeer, remoteAddr }: Connection, error: Error): void {
    const { lossyPaths } = this.#libp2p.services.dcutr
    if (isUnacknowledged(error)) lossyPaths.note(remotePeer, remoteAddr, 'unacknowledged')
    else if (isReset(error)) lossyPaths.note(remotePeer, remoteAddr, 'reset')
  }

  async #prove(connection: Connection): Promise<Connection> {
    const { lossyPaths } = this.#libp2p.services.dcutr
    const circuits = this.circuitsTo(connection.remotePeer)
    await proveOrAbort(connection, lossyPaths, { signal: this.#listening.signal, circuits })
    return connection
  }

  /** What took the direct path may have taken the circuits, too, and nobody has told this end. */
  async #fallBack(peerId: PeerId): Promise<void> {
    await Promise.all(
      this.circuitsTo(peerId).map(async circuit =>
        checkPresence(circuit, this.#listening.signal).catch((error: Error) => circuit.abort(error)),
      ),
    )
    if (this.to(peerId)?.path === 'relayed') this.#init.onFallenBack(peerId)
  }

  /** True for a direct connection that was used, or could have been. */
  #isPath(connection: Connection): boolean {
    return this.#proved.has(connection) || isProved(connection)
  }

  #isRelayThere({ remoteAddr }: Connection): boolean {
    const relay = relayIdOf(relayAddrOf(remoteAddr))
    return this.#libp2p.getConnections(relay).some(it => it.status === 'open')
  }

  async #chosen(circuit: Connection): Promise<Connection> {
    const direct = await this.#libp2p.services.dcutr.direct(circuit)
    this.#unchosen.delete(direct)
    return direct
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
    const { events, isInfrastructure } = this.#init
    if (isInfrastructure(peerId)) return
    const key = peerId.toString()
    const before = this.#reported.get(key)
    const now = this.to(peerId)
    if (now === undefined) {
      if (this.#reported.delete(key)) events.safeDispatchEvent('peer:disconnected', { detail: { peerId } })
      return
    }
    const detail = { peerId, path: now.path, remoteAddr: now.connection.remoteAddr }
    this.#reported.set(key, detail)
    if (before === undefined) events.safeDispatchEvent('peer:connected', { detail })
    else if (before.path !== detail.path) events.safeDispatchEvent('path:changed', { detail })
  }
}

/** The other end, or something in between, has reset the connection. */
function isReset(error: Error): boolean {
  const { code, name } = error as NodeJS.ErrnoException
  return code === 'ECONNRESET' || code === 'EPIPE' || name === 'StreamResetError'
}

function isRelayed({ remoteAddr }: Connection): boolean {
  return isCircuit(remoteAddr)
}
