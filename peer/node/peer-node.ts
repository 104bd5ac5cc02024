/** The libp2p node that a peer is, and what keeps it reachable and connected. */

import { allInterfaces } from '../../src/addresses/interfaces.ts'
import { scopeOf } from '../../src/addresses/scope.ts'
import { isCircuit, lastPeerId, relayAddrOf } from '../../src/addresses/circuit.ts'
import QuickLRU from 'quick-lru'
import { TypedEventEmitter } from 'main-event'
import { raceSignal } from 'race-signal'
import { UnreachableError } from '../../src/errors.ts'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { ephemeralIdentity } from '../../src/files/identity.ts'
import { startNode } from '../../src/node/stack.ts'
import { explainCuts } from '../connections/circuit-limits.ts'
import { createConnection } from '../connections/connection.ts'
import { describeFailure } from '../connections/describe-failure.ts'
import { DialPolicy } from '../connections/dial-policy.ts'
import { Reconnector } from '../connections/reconnector.ts'
import { createNode, listenAddrs } from './libp2p.ts'
import { Ranks } from '../limits/rank.ts'
import { runNetcheck } from '../netcheck/netcheck.ts'
import { NetworkWatch } from '../../src/node/network-watch.ts'
import { Paths } from '../connections/paths.ts'
import { probePortMapping } from '../port-mapping/probe.ts'
import { checkPresence } from '../connections/liveness.ts'
import { parseTarget } from '../connections/target.ts'
import { RelayAuth } from '../relays/relay-auth.ts'
import type {
  AbortOptions,
  ComponentLogger,
  Connection,
  Libp2p,
  PeerId,
  StreamHandler,
} from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { HolePunchEvents } from '../../src/holepunch/events.ts'
import type { PeerConnection } from '../connections/connection.ts'
import type { PeerEvents, RelayStatus } from './events.ts'
import type { Reach } from './own-addresses.ts'
import type { Storage } from './storage.ts'
import type { PeerServices } from './libp2p.ts'
import type { Target } from '../connections/target.ts'
import type { NetcheckReport } from '../netcheck/report.ts'
import type { Peer, PeerInit } from './peer.ts'
import type { RelayList } from '../relays/relay-list.ts'

/** How many relays hold a reservation unless told: one may go down, and nobody notices. */
export const DEFAULT_RESERVATIONS = 2

/** Relays of targets that are remembered, 200 bytes each: those that were used last. */
const MAX_NAMED_RELAYS = 1_000

const PUNCH_EVENTS = [
  'holepunch:started',
  'holepunch:attempt',
  'holepunch:succeeded',
  'holepunch:failed',
] as const satisfies ReadonlyArray<keyof HolePunchEvents>

const MAPPING_EVENTS = ['mapping:added', 'mapping:verified', 'mapping:lost', 'mapping:failed'] as const

/** The node behind {@link Peer}. */
export class PeerNode extends TypedEventEmitter<PeerEvents> implements Peer {
  readonly #relays: RelayList
  readonly #token: RelayAuth
  readonly #storage: Storage | undefined
  readonly #network = new NetworkWatch()
  readonly #stopped = new AbortController()
  readonly #kept = new Map<string, Reconnector>()
  /** Peers on the way to be kept: whoever wants one of them meanwhile waits for the same dial. */
  readonly #sought = new Map<string, Reconnector>()
  /** Relays that only a target names: they are dialled from the punch port and left out of the events like the others. */
  readonly #namedRelays = new QuickLRU<string, true>({ maxSize: MAX_NAMED_RELAYS })
  readonly #dialPolicy: DialPolicy
  #libp2p: Libp2p<PeerServices> | undefined
  #paths: Paths | undefined
  #seen = ''
  #mayMapPorts = true
  #logger: ComponentLogger | undefined

  constructor(relays: RelayList, relayToken: string | undefined, storage: Storage | undefined) {
    super()
    this.#relays = relays
    this.#dialPolicy = new DialPolicy(addr => relays.isAt(addr))
    this.#storage = storage
    this.#token = new RelayAuth(relayToken, relays)
  }

  async start(init: PeerInit): Promise<void> {
    await this.#relays.start()
    const listen = listenAddrs(init.port ?? 0)
    this.#mayMapPorts = init.portMapping !== false
    this.#logger = init.logger
    this.#libp2p = await createNode({
      privateKey: init.privateKey ?? this.#storage?.privateKey ?? (await ephemeralIdentity()),
      logger: init.logger,
      datastore: this.#storage?.datastore,
      listen,
      relays: this.#relays,
      dialPolicy: this.#dialPolicy,
      reservations: init.reserve === false ? 0 : (init.reservations ?? DEFAULT_RESERVATIONS),
      token: this.#token,
      events: this,
      isRelay: peerId => this.#isRelay(peerId),
      ranks: new Ranks({
        rankOf: init.rankOf,
        isRelay: peerId => this.#isRelay(peerId),
        isChosen: peerId => this.#kept.has(peerId) || this.#sought.has(peerId),
        isUpgradedFor: peerId => this.libp2p.services.dcutr.isUpgrading(peerId, 'responder'),
      }),
      isUpgrading: peerId => this.libp2p.services.dcutr.isUpgrading(peerId),
      isReservedAt: relay => this.libp2p.services.reservations.isReservedAt(relay),
      dialBack: async addr => this.#dialBack(addr),
    })
    this.#paths = new Paths(this.#libp2p, {
      events: this,
      isInfrastructure: peerId => this.#isRelay(peerId.toString()),
      onLost: peerId => void this.#kept.get(peerId.toString())?.restore(),
      onFallenBack: peerId => this.#kept.get(peerId.toString())?.punchSoon(),
    })
    this.#listen()
    await startNode(this.#libp2p, listen)
    this.#network.start()
    this.#watchStorage(this.#storage)
  }

  get libp2p(): Libp2p<PeerServices> {
    if (this.#libp2p === undefined) throw new TypeError('the peer has not been started')
    return this.#libp2p
  }

  get peerId(): PeerId {
    return this.libp2p.peerId
  }

  get addrs(): Multiaddr[] {
    const circuits = this.libp2p.services.reservations.addrs
    const own = this.libp2p.getMultiaddrs().filter(addr => !circuits.some(it => it.equals(addr)))
    return [...circuits, ...own]
  }

  get relays(): readonly RelayStatus[] {
    return this.libp2p.services.reservations.relays
  }

  async reachable(options: AbortOptions = {}): Promise<void> {
    if (this.libp2p.services.reservations.addrs.length > 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const onGranted = (): void => resolve()
    this.addEventListener('reservation:granted', onGranted)
    try {
      await raceSignal(promise, options.signal)
    } finally {
      this.removeEventListener('reservation:granted', onGranted)
    }
  }

  replaceRelayToken(token: string | undefined): void {
    this.#token.replace(token)
    this.libp2p.services.reservations.wake(false)
  }

  async handle(protocol: string, handler: StreamHandler): Promise<void> {
    const explained: StreamHandler = (stream, connection) => {
      this.libp2p.services.connectionSlots.noteUse(connection)
      return handler(explainCuts(stream, connection), connection)
    }
    await this.libp2p.handle(protocol, explained, { runOnLimitedConnection: true })
  }

  async unhandle(protocol: string): Promise<void> {
    await this.libp2p.unhandle(protocol)
  }

  async connect(name: string | Multiaddr | PeerId, options: AbortOptions = {}): Promise<PeerConnection> {
    const target = parseTarget(name)
    await this.#reach(target, options)
    return createConnection(target.peerId, {
      paths: this.#paths as Paths,
      punching: this.libp2p.services.dcutr,
      connect: async signal => this.#reach(target, signal),
      disconnect: async signal => this.#disconnect(target.peerId, signal),
    })
  }

  async netcheck(options: AbortOptions = {}): Promise<NetcheckReport> {
    const relays = this.#relays.relays.flatMap(it => it.addrs)
    return runNetcheck(relays, { ...options, probePortMapping, logger: this.#logger })
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    this.#network.stop()
    this.#relays.stop()
    this.#paths?.stop()
    await this.#libp2p?.stop()
    for (const kept of this.#kept.values()) kept.close()
    this.#kept.clear()
    await this.#storage?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Resolves when there is a path; from then on it is kept. */
  async #reach({ peerId, addrs, isFromTicket = false }: Target, options: AbortOptions): Promise<void> {
    const key = peerId.toString()
    const kept = this.#kept.get(key) ?? this.#sought.get(key) ?? this.#createKept(peerId)
    this.#sought.set(key, kept)
    for (const addr of addrs) if (isCircuit(addr)) this.#namedRelays.set(lastPeerId(relayAddrOf(addr)), true)
    if (!isFromTicket) for (const addr of addrs) this.#dialPolicy.allow(addr)
    kept.learn(addrs)
    try {
      await kept.connect(options)
      this.#kept.set(key, kept)
    } catch (cause) {
      options.signal?.throwIfAborted()
      throw await this.#unreachable(kept, cause)
    } finally {
      if (!kept.isDialling) this.#sought.delete(key)
    }
  }

  #createKept(peerId: PeerId): Reconnector {
    const { services } = this.libp2p
    const log = this.libp2p.logger.forComponent('throughnat:peer')
    return new Reconnector(peerId, { paths: this.#paths as Paths, dialer: services.dialer, log })
  }

  async #unreachable(kept: Reconnector, cause: unknown): Promise<UnreachableError> {
    const { direct, circuits } = await this.libp2p.services.dialer.ways(kept.target)
    const ways = [...direct, ...circuits].join(', ')
    if (ways === '')
      return new UnreachableError(
        `Cannot reach ${kept.peerId}: no relay is known. Give a relay, or a circuit address.`,
      )
    return new UnreachableError(`Cannot reach ${kept.peerId}: ${describeFailure(cause)}. Tried ${ways}.`, {
      cause,
    })
  }

  async #disconnect(peerId: PeerId, options: AbortOptions): Promise<void> {
    const key = peerId.toString()
    const kept = this.#kept.get(key)
    this.#kept.delete(key)
    try {
      await this.libp2p.hangUp(peerId, options)
    } finally {
      kept?.close()
    }
  }

  #listen(): void {
    const { libp2p } = this
    const options = { signal: this.#stopped.signal }
    for (const event of PUNCH_EVENTS) this.#pass(event)
    for (const event of MAPPING_EVENTS)
      libp2p.services.portMapping.addEventListener(event, ({ detail }) =>
        this.safeDispatchEvent(event, { detail } as never),
      )
    for (const event of ['relays:changed', 'relays:failed'] as const)
      this.#relays.addEventListener(
        event,
        ({ detail }) => this.safeDispatchEvent(event, { detail } as never),
        options,
      )
    this.#network.addEventListener('network:changed', ({ detail }) => this.#onNetworkChange(detail), options)
    libp2p.addEventListener('peer:identify', ({ detail }) => this.#onIdentify(detail.connection), options)
    this.addEventListener('holepunch:failed', ({ detail: { peerId, reason } }) => {
      void this.#kept.get(peerId.toString())?.punchAgain(reason)
    })
  }

  #watchStorage(storage: Storage | undefined): void {
    storage?.watch({
      failed: reason => this.safeDispatchEvent('storage:failed', { detail: { path: storage.path, reason } }),
      recovered: dropped =>
        this.safeDispatchEvent('storage:recovered', { detail: { path: storage.path, dropped } }),
    })
  }

  #onNetworkChange(detail: PeerEvents['network:changed']['detail']): void {
    this.safeDispatchEvent('network:changed', { detail })
    void this.#relays.refresh()
    void this.libp2p.services.portMapping.refresh()
    if (detail.change !== 'slept') {
      this.libp2p.services.ownAddresses.forget()
      this.libp2p.services.dcutr.lossyPaths.clear()
    }
    // whoever slept, or was busy for seconds, learns from the kernel which connections are dead
    const mayBeGone = detail.change !== 'slept'
    this.libp2p.services.reservations.wake(mayBeGone)
    for (const kept of this.#kept.values()) kept.wake()
    if (!mayBeGone) return
    const sockets = this.libp2p.getConnections().filter(it => !isCircuit(it.remoteAddr))
    for (const connection of sockets)
      checkPresence(connection, this.#stopped.signal).catch((error: Error) => connection.abort(error))
  }

  /** What relays see of this peer is another than before: a punch may work now that did not. */
  #onIdentify(connection: Connection): void {
    const { dcutr, ownAddresses, portMapping } = this.libp2p.services
    const endpoints = dcutr.observed.endpoints()
    portMapping.verifyAgain()
    // anybody may have been identified, and only a relay has news
    if (dcutr.observed.has(connection)) void ownAddresses.check(endpoints)
    const seen = endpoints.map(String).toSorted().join(' ')
    if (seen === this.#seen) return
    this.#seen = seen
    if (this.#mayMapPorts && endpoints.some(isBehindNat)) portMapping.enable()
    for (const kept of this.#kept.values()) kept.wake()
  }

  /** Has a relay dial this address. One that this peer is connected to will do: what a router maps, it lets in from everywhere. */
  async #dialBack(addr: Multiaddr): Promise<Reach> {
    const { dialBack, dcutr } = this.libp2p.services
    const relays = this.libp2p.getConnections().filter(it => dcutr.observed.has(it))
    let reach: Reach = 'unknown'
    for (const via of relays) {
      const answer = await dialBack.verify(addr, via, { signal: this.#stopped.signal }).catch(() => undefined)
      if (answer?.isVerified === true) return 'reached'
      if (answer?.dialStatus === 'E_DIAL_ERROR') reach = 'unreached'
    }
    return reach
  }

  #isRelay(peerId: string): boolean {
    return this.#relays.has(peerId) || this.#namedRelays.has(peerId)
  }

  #pass<Name extends keyof HolePunchEvents>(event: Name): void {
    this.libp2p.services.dcutr.addEventListener(event, ({ detail }) => {
      this.safeDispatchEvent(event, { detail } as never)
    })
  }
}

/** True if this is a public endpoint that is none of this machine's own. */
function isBehindNat(endpoint: Multiaddr): boolean {
  const { host } = endpointOf(endpoint)
  const own = Object.values(allInterfaces()).flatMap(list => (list ?? []).map(it => it.address))
  return scopeOf(host) === 'public' && !own.includes(host)
}
