/**
 * Dials a remote peer over every way that may lead there: its own addresses, and circuits through relays. The first that
 * is connected wins. Direct ways go first, since they need no relay. A direct way that is slower than a circuit goes on,
 * and replaces the circuit when it is connected.
 *
 * libp2p's own dial tries one address after the other to its end, and joins a dial of the same peer that is in flight.
 */

import { circuitAddr, isCircuit, relayAddrOf } from '../../src/addresses/circuit.ts'
import { proveOrAbort } from '../../src/holepunch/paths/proof.ts'
import { resolveHost } from '../../src/addresses/resolve-host.ts'
import { TimeoutError } from '@libp2p/interface'
import { scopeOf } from '../../src/addresses/scope.ts'
import { raceInTurn } from '../../src/time/race-in-turn.ts'
import { endpointOf, endsInPeerId } from '../../src/addresses/endpoint.ts'
import { anySignalOf, withDeadline } from '../../src/time/deadline.ts'
import type { AbortOptions, Connection, PeerId, PeerStore } from '@libp2p/interface'
import type { ConnectionManager, TransportManager } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { LossyPaths } from '../../src/holepunch/paths/lossy-paths.ts'
import type { RelayList } from '../relays/relay-list.ts'
import type { DialPolicy } from './dial-policy.ts'
import type { Target } from './target.ts'
import type { RelayAuth } from '../relays/relay-auth.ts'

/** Time for one way, in milliseconds: libp2p's dial time-out (`DIAL_TIMEOUT`). */
const ATTEMPT_TIMEOUT_MS = 10_000

/** Addresses that a remote has told of itself are tried up to this number of each kind: it can name any. */
const MAX_TOLD = 4

/** What libp2p hands to a service. */
export interface DialerComponents {
  peerStore: PeerStore
  transportManager: TransportManager
  connectionManager: ConnectionManager
}

/** What a dialer works with. */
export interface DialerInit {
  relays: RelayList
  token: RelayAuth
  /** The direct paths that do not carry data. */
  lossyPaths: LossyPaths
  policy: DialPolicy
}

/** The dialer of one peer. */
export class Dialer {
  readonly #components: DialerComponents
  readonly #init: DialerInit

  constructor(components: DialerComponents, init: DialerInit) {
    this.#components = components
    this.#init = init
  }

  /**
   * Connects over the first way that works.
   *
   * @throws {AggregateError} with what each way failed with; without any, if no way is known
   * @throws the reason of `signal`
   */
  async connect(target: Target, options: AbortOptions = {}): Promise<Connection> {
    const { direct, circuits } = await this.ways(target)
    // a lossy path is better than none
    const avoid = circuits.length > 0 ? target.peerId : undefined
    return this.#race([...direct, ...circuits], options, avoid)
  }

  /** Opens another circuit, whatever connections there are. Throws as {@link connect}. */
  async connectOverRelay(target: Target, options: AbortOptions = {}): Promise<Connection> {
    const { circuits } = await this.ways(target)
    return this.#race(circuits, options)
  }

  /** The ways that may lead to a peer, those that were given first. */
  async ways({ peerId, addrs }: Target): Promise<{ direct: Multiaddr[]; circuits: Multiaddr[] }> {
    const told = await this.#told(peerId)
    const { policy } = this.#init
    const toldCircuits = told.filter(it => isCircuit(it) && policy.mayBeDialled(it)).slice(0, MAX_TOLD)
    const own = this.#init.relays.relays.flatMap(relay => relay.addrs.map(addr => circuitAddr(addr, peerId)))
    const isNamed = addrs.some(isCircuit)
    return {
      direct: unique(
        [
          ...addrs.filter(addr => !isCircuit(addr)),
          ...told.filter(addr => !isCircuit(addr) && isPublic(addr)).slice(0, MAX_TOLD),
        ],
        peerId,
      ),
      circuits: unique(
        [...addrs.filter(isCircuit), ...(isNamed || addrs.length === 0 ? own : []), ...toldCircuits],
        peerId,
      ),
    }
  }

  async #told(peerId: PeerId): Promise<Multiaddr[]> {
    try {
      const { addresses } = await this.#components.peerStore.get(peerId)
      const { transportManager } = this.#components
      return addresses
        .map(it => it.multiaddr)
        .filter(addr => transportManager.dialTransportForMultiaddr(addr) !== undefined)
    } catch {
      return []
    }
  }

  /** @param avoid - the peer whose lossy direct paths are not dialled */
  async #race(ways: readonly Multiaddr[], { signal }: AbortOptions, avoid?: PeerId): Promise<Connection> {
    const attempt = async (way: Multiaddr, lost: AbortSignal): Promise<Connection> => {
      if (avoid !== undefined && !isCircuit(way)) await this.#assertLossless(way, avoid, signal)
      return this.#dial(way, lost, signal)
    }
    return raceInTurn(ways, attempt, { signal })
  }

  /** A name is judged by the addresses that it stands for. @throws {TimeoutError} if all of them are lossy */
  async #assertLossless(way: Multiaddr, peerId: PeerId, stopped: AbortSignal | undefined): Promise<void> {
    const addrs = await withDeadline(
      ATTEMPT_TIMEOUT_MS,
      'The name was not resolved in time',
      stopped,
      async signal => resolveHost(way, { signal }),
    )
    if (addrs.every(addr => this.#init.lossyPaths.has(peerId, addr)))
      throw new TimeoutError('the direct path loses large packets')
  }

  /** A direct way is not cancelled when a circuit was faster: it replaces that. */
  async #dial(way: Multiaddr, cancel: AbortSignal, stopped: AbortSignal | undefined): Promise<Connection> {
    const { transportManager, connectionManager } = this.#components
    const parent = anySignalOf(stopped, isCircuit(way) ? cancel : undefined)
    const connection = await withDeadline(ATTEMPT_TIMEOUT_MS, 'No answer in time', parent, async signal => {
      if (isCircuit(way)) {
        const relay = await connectionManager.openConnection(relayAddrOf(way), { signal })
        await this.#init.token.show(relay, { signal })
      }
      return transportManager.dial(way, { signal })
    })
    if (isCircuit(way)) return connection
    const others = connectionManager.getConnections(connection.remotePeer)
    const circuits = others.filter(it => isCircuit(it.remoteAddr) && it.status === 'open')
    await proveOrAbort(connection, this.#init.lossyPaths, { signal: stopped, circuits })
    return connection
  }
}

function isPublic(addr: Multiaddr): boolean {
  try {
    return scopeOf(endpointOf(addr).host) === 'public'
  } catch {
    return false
  }
}

/** Each once, with the peer id at the end: whoever else answers there is not let in. */
function unique(addrs: readonly Multiaddr[], peerId: PeerId): Multiaddr[] {
  const pinned = addrs.map(addr => (endsInPeerId(addr) ? addr : addr.encapsulate(`/p2p/${peerId}`)))
  return [...new Map(pinned.map(addr => [addr.toString(), addr])).values()]
}
