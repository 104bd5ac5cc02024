/**
 * The hole punch service: upgrades every circuit of its node to a direct connection.
 *
 * A drop-in for `dcutr()` of `@libp2p/dcutr`. It finds the shared-port transport among the node's transports, listens
 * to what relays observe, and runs one upgrade for each circuit, of which one at a time punches to the same remote.
 */

import { serviceCapabilities, serviceDependencies } from '@libp2p/interface'
import { TypedEventEmitter } from 'main-event'
import { raceSignal } from 'race-signal'
import { isCircuit } from '../addresses/circuit.ts'
import { relayEndpointOf } from '../addresses/direct.ts'
import { HolePunchFailedError } from '../errors.ts'
import { findPunchTransport } from '../transport/punch-transport.ts'
import { measureCircuits } from './circuit-round-trip.ts'
import { EARLY_OFFER_PROTOCOL } from './early-offer.ts'
import { DCUTR_PROTOCOL, EXCHANGE_TIMEOUT_MS } from './exchange.ts'
import { localAddressesOf } from './local-addresses.ts'
import { ObservedEndpoints } from './observed-endpoints.ts'
import { PeerQueue } from './peer-queue.ts'
import { LossyPaths } from './paths/lossy-paths.ts'
import { awaitAnswer } from '../protocols/ping.ts'
import { losesFullPackets, proveOrAbort } from './paths/proof.ts'
import { PunchBudget } from './punch/punch-budget.ts'
import { openSparePort } from './punch/spare-port.ts'
import { MAX_ATTEMPTS, Upgrade } from './upgrade.ts'
import type { PunchTransport } from '../transport/punch-transport.ts'
import type { DCUtRServiceInit } from '@libp2p/dcutr'
import type { SparePort } from './punch/spare-port.ts'
import type { HolePunchEvents, PunchRole } from './events.ts'
import type {
  AbortOptions,
  ComponentLogger,
  Connection,
  IdentifyResult,
  Libp2pEvents,
  Logger,
  PeerId,
  Startable,
  Stream,
  Upgrader,
} from '@libp2p/interface'
import type {
  AddressManager,
  ConnectionManager,
  Registrar,
  TransportManager,
} from '@libp2p/interface-internal'
import type { TypedEventTarget } from 'main-event'

/** What libp2p hands to the factory. */
export interface HolePunchComponents {
  peerId: PeerId
  logger: ComponentLogger
  events: TypedEventTarget<Libp2pEvents>
  upgrader: Upgrader
  registrar: Registrar
  addressManager: AddressManager
  connectionManager: ConnectionManager
  transportManager: TransportManager
}

/**
 * How long an attempt waits for relays to say what they observe, in milliseconds, where none has yet: a round trip or
 * two of identify. Without an observation there is nothing to offer.
 */
const OBSERVATION_TIMEOUT_MS = 2_000

/** Time to connect to a relay once more, in milliseconds: half of libp2p's dial time-out, since a round trip is known. */
const SPARE_PORT_TIMEOUT_MS = 5_000

/**
 * Connections to the relay for spare ports at a time, whoever's punches have failed: relays count the connections of one
 * address, ours 16 new ones a second where it is public (relay/limits/limits.ts), and the next may be the one that is needed.
 */
const MAX_SPARE_PORTS = 2

/** Time for a direct connection to show that it still is one, in milliseconds: a slow round trip, and a packet that is lost and sent again. */
const PRESENCE_TIMEOUT_MS = 2_000

/**
 * Creates the service: a drop-in for `dcutr()` of `@libp2p/dcutr`, to be used with this package's `tcp()`.
 *
 * @param init - the options of `@libp2p/dcutr`: `retries` counts the attempts of the responder (3 unless given), `timeout` is
 *   that of one exchange, in milliseconds (15,000 unless given), and the numbers of streams are for each connection (1
 *   unless given)
 */
export function dcutr(init: DCUtRServiceInit = {}): (components: HolePunchComponents) => HolePunchService {
  return components => new HolePunchService(components, init)
}

/** The service, reachable as `libp2p.services.dcutr` (or whatever name it was given). */
export class HolePunchService extends TypedEventEmitter<HolePunchEvents> implements Startable {
  readonly [Symbol.toStringTag] = 'throughnat/dcutr'
  readonly [serviceCapabilities]: string[] = ['@libp2p/dcutr']
  readonly [serviceDependencies]: string[] = ['@libp2p/identify']
  /** What relays see of this node. */
  readonly observed: ObservedEndpoints = new ObservedEndpoints()
  /** The direct paths that do not carry data. */
  readonly lossyPaths: LossyPaths

  readonly #components: HolePunchComponents
  readonly #init: DCUtRServiceInit
  readonly #log: Logger
  readonly #isNamed: (remotePeer: PeerId) => boolean
  readonly #upgrades = new Map<string, Upgrade>()
  readonly #turns = new PeerQueue()
  readonly #budget = new PunchBudget()
  #spares = 0
  #transport: PunchTransport | undefined

  /**
   * @param lossyPaths - what others of this node have found out about its paths
   * @param isNamed - true for a peer whose addresses inside a private network are dialled though this node has not dialled it
   */
  constructor(
    components: HolePunchComponents,
    init: DCUtRServiceInit = {},
    lossyPaths: LossyPaths = new LossyPaths(),
    isNamed: (remotePeer: PeerId) => boolean = () => false,
  ) {
    super()
    this.lossyPaths = lossyPaths
    this.#isNamed = isNamed
    this.#init = init
    this.#components = components
    this.#log = components.logger.forComponent('throughnat:holepunch')
  }

  async start(): Promise<void> {
    if (this.#transport !== undefined) return
    const { transportManager, events, registrar, upgrader } = this.#components
    this.#transport = findPunchTransport(transportManager.getTransports())
    if (this.#transport === undefined)
      throw new TypeError("dcutr() of throughnat needs throughnat's tcp() among the transports")
    if (!this.#transport.canPunch) this.#log('this platform cannot share a TCP port: circuits stay relayed')
    events.addEventListener('connection:open', this.#onConnectionOpen)
    events.addEventListener('connection:close', this.#onConnectionClose)
    events.addEventListener('peer:identify', this.#onIdentify)
    measureCircuits(upgrader)
    await registrar.handle(
      EARLY_OFFER_PROTOCOL,
      (stream, connection) => this.#onEarlyOffer(stream, connection),
      { maxInboundStreams: 1, runOnLimitedConnection: true },
    )
    await registrar.handle(DCUTR_PROTOCOL, (stream, connection) => this.#onExchange(stream, connection), {
      maxInboundStreams: this.#init.maxInboundStreams ?? 1,
      maxOutboundStreams: this.#init.maxOutboundStreams ?? 1,
      runOnLimitedConnection: true,
    })
  }

  async stop(): Promise<void> {
    if (this.#transport === undefined) return
    this.#transport = undefined
    const { events, registrar } = this.#components
    events.removeEventListener('connection:open', this.#onConnectionOpen)
    events.removeEventListener('connection:close', this.#onConnectionClose)
    events.removeEventListener('peer:identify', this.#onIdentify)
    for (const upgrade of this.#upgrades.values()) upgrade.stop()
    this.#upgrades.clear()
    await Promise.all([registrar.unhandle(DCUTR_PROTOCOL), registrar.unhandle(EARLY_OFFER_PROTOCOL)])
  }

  /**
   * Resolves with the direct connection that replaces this circuit; with the connection itself if it is direct.
   * Aborting `signal` ends the wait and not the upgrade.
   *
   * @throws {HolePunchFailedError} when the circuit stays relayed
   */
  async direct(connection: Connection, options: AbortOptions = {}): Promise<Connection> {
    if (!isCircuit(connection.remoteAddr)) return connection
    const upgrade = this.#upgrades.get(connection.id)
    if (upgrade === undefined)
      throw new HolePunchFailedError('circuit-closed', connection.remotePeer.toString())
    return raceSignal(upgrade.outcome, options.signal)
  }

  /** True while an upgrade of a circuit to this peer is under way; with `role`, one in which this node has that role. */
  isUpgrading(remotePeer: PeerId, role?: PunchRole): boolean {
    return this.#pendingTo(remotePeer).some(it => role === undefined || it.role === role)
  }

  #onConnectionOpen = (event: CustomEvent<Connection>): void => {
    const connection = event.detail
    if (isCircuit(connection.remoteAddr)) this.#begin(connection)
    else {
      if (connection.direction === 'inbound')
        for (const upgrade of this.#pendingTo(connection.remotePeer)) upgrade.arrived(connection)
      void this.#settleWith(connection)
    }
  }

  #onConnectionClose = (event: CustomEvent<Connection>): void => {
    const { id } = event.detail
    this.observed.forget(event.detail)
    // a direct connection may still come of it
    void this.#upgrades.get(id)?.settled.then(() => this.#upgrades.delete(id))
  }

  #onIdentify = (event: CustomEvent<IdentifyResult>): void => {
    const { connection, observedAddr, listenAddrs } = event.detail
    this.#upgrades.get(connection.id)?.identified(listenAddrs)
    if (observedAddr === undefined || this.#transport?.isFromPunchPort(connection) !== true) return
    this.observed.note(connection, observedAddr)
    this.#log('%p sees the punch port at %a', connection.remotePeer, observedAddr)
  }

  #begin(circuit: Connection): void {
    const { upgrader, logger, connectionManager } = this.#components
    const upgrade = new Upgrade(circuit, {
      transport: this.#transport as PunchTransport,
      upgrader,
      logger,
      events: this,
      turns: this.#turns,
      budget: this.#budget,
      lossyPaths: this.lossyPaths,
      maxAttempts: this.#init.retries ?? MAX_ATTEMPTS,
      exchangeTimeoutMs: this.#init.timeout ?? EXCHANGE_TIMEOUT_MS,
      observed: async signal => this.#waitForObservation(signal),
      isNamed: this.#isNamed,
      relayOf: circuit => relayEndpointOf(connectionManager, circuit),
      localAddresses: () => localAddressesOf(this.#components, this.observed),
      sparePort: async signal => this.#sparePort(signal),
    })
    this.#upgrades.set(circuit.id, upgrade)
    const direct = connectionManager.getConnections(circuit.remotePeer).find(isDirect)
    if (direct !== undefined) void this.#reuse(direct, upgrade)
    else if (upgrade.role === 'responder') void upgrade.respond()
    else void upgrade.early.send()
    // whatever other circuits lead to the same peer are replaced, too
    upgrade.outcome.then(
      connection => this.#pendingTo(circuit.remotePeer).forEach(it => it.succeedWith(connection)),
      () => {},
    )
  }

  /**
   * A circuit has come although there is a direct connection. The other side may have lost that without a word, so it is asked; if it does not answer, the circuit is
   * upgraded like any other.
   */
  async #reuse(direct: Connection, upgrade: Upgrade): Promise<void> {
    try {
      await awaitAnswer(direct, { signal: AbortSignal.timeout(PRESENCE_TIMEOUT_MS), isOptimistic: true })
      upgrade.succeedWith(direct)
    } catch (error) {
      direct.abort(error as Error)
      if (upgrade.role === 'responder' && upgrade.isPending) void upgrade.respond()
    }
  }

  /** An initiator sends its addresses before it is asked, over a circuit that it has dialled. */
  async #onEarlyOffer(stream: Stream, connection: Connection): Promise<void> {
    const upgrade = this.#upgrades.get(connection.id)
    if (upgrade?.role === 'responder' && upgrade.isPending) await upgrade.early.receive(stream)
    else stream.abort(new Error('no early offer is expected over this connection'))
  }

  /** A responder has opened an exchange. DCUtR.md: it comes over a circuit that this node has dialled. */
  async #onExchange(stream: Stream, connection: Connection): Promise<void> {
    const upgrade = this.#upgrades.get(connection.id)
    if (upgrade?.role !== 'initiator' || !upgrade.isPending) {
      stream.abort(new Error('no exchange is expected over this connection'))
      return
    }
    if (!this.#yieldTo(connection.remotePeer)) {
      stream.abort(new Error('this node is punching to that peer'))
      return
    }
    await upgrade.answer(stream)
  }

  /**
   * Two peers that dial each other at the same moment have two circuits, and opposite roles on them. The punch of the
   * responder with the smaller peer id goes on, the other one waits for its end; both sides decide alike.
   */
  #yieldTo(remotePeer: PeerId): boolean {
    const own = this.#pendingTo(remotePeer).find(it => it.role === 'responder' && it.isPunching)
    if (own === undefined) return true
    if (this.#components.peerId.toString() < remotePeer.toString()) return false
    own.yield()
    return true
  }

  /**
   * A direct connection ends the pending upgrades to its peer, once it is proved. A punch under way ends first: the
   * connection may be one of its own, and it chooses; or the remote's SYN came before its SYNC, and the punch fails.
   * An attempt that has not begun to dial chooses nothing: the remote has dialled this node without a punch.
   */
  async #settleWith(direct: Connection): Promise<void> {
    const { remotePeer } = direct
    const isDialling = (): boolean => this.#pendingTo(remotePeer).some(it => it.isDialling)
    if (this.#pendingTo(remotePeer).length === 0) return
    const endTurn = isDialling() ? await this.#turns.take(remotePeer) : () => {}
    try {
      // a plain dial takes no turn, and chooses, too
      if (direct.status !== 'open' || this.#pendingTo(remotePeer).length === 0 || isDialling()) return
      const circuits = this.#pendingTo(remotePeer).map(it => it.circuit)
      await proveOrAbort(direct, this.lossyPaths, { circuits })
      for (const upgrade of this.#pendingTo(remotePeer)) upgrade.succeedWith(direct)
    } catch (error) {
      if (losesFullPackets(direct)) for (const upgrade of this.#pendingTo(remotePeer)) upgrade.foundLossy()
      this.#log('a direct connection to %p did not prove itself - %e', remotePeer, error)
    } finally {
      endTurn()
    }
  }

  #pendingTo(remotePeer: PeerId): Upgrade[] {
    return [...this.#upgrades.values()].filter(it => it.isPending && it.circuit.remotePeer.equals(remotePeer))
  }

  /** An attempt can do without a spare port, so whatever stands in its way is no failure. */
  async #sparePort(signal: AbortSignal): Promise<SparePort | undefined> {
    const { connectionManager, upgrader, events } = this.#components
    const transport = this.#transport
    const relay = connectionManager.getConnections().find(it => transport?.isFromPunchPort(it))
    if (transport === undefined || relay === undefined || this.#spares >= MAX_SPARE_PORTS) return undefined
    this.#spares++
    try {
      const timeout = AbortSignal.any([signal, AbortSignal.timeout(SPARE_PORT_TIMEOUT_MS)])
      const spare = await openSparePort({ transport, upgrader, events, relay }, timeout)
      return { ...spare, close: async () => spare.close().finally(() => this.#spares--) }
    } catch (error) {
      this.#spares--
      this.#log('no spare port - %e', error)
      return undefined
    }
  }

  async #waitForObservation(signal: AbortSignal): Promise<void> {
    const { connectionManager, events } = this.#components
    const awaited = connectionManager.getConnections().some(it => this.#transport?.isFromPunchPort(it))
    if (!awaited || this.observed.endpoints().length > 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timeout = AbortSignal.any([signal, AbortSignal.timeout(OBSERVATION_TIMEOUT_MS)])
    timeout.addEventListener('abort', () => resolve(), { once: true })
    events.addEventListener('peer:identify', () => resolve(), { once: true, signal: timeout })
    await promise
  }
}

function isDirect(connection: Connection): boolean {
  return !isCircuit(connection.remoteAddr) && connection.status === 'open'
}
