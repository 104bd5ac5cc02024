/**
 * The peer: a node behind a NAT that is reached through relays, and directly once a hole has been punched.
 */

import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { webSockets } from '@libp2p/websockets'
import { CODE_P2P } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { TypedEventEmitter } from 'main-event'
import { raceSignal } from 'race-signal'
import { longestDurationMs } from '../src/config/quantities.ts'
import { InvalidConfigError, UnreachableError } from '../src/errors.ts'
import { dcutr } from '../src/holepunch/service.ts'
import { ephemeralIdentity } from '../src/identity.ts'
import { commonOptions, startNode } from '../src/node.ts'
import { assertRuntime } from '../src/runtime.ts'
import { tcp } from '../src/transport/shared-port-tcp.ts'
import { explainCuts } from './circuit-limits.ts'
import { createConnection } from './connection.ts'
import { describeFailure } from './describe-failure.ts'
import { Dialer, isCircuit, relayAddrOf } from './dialer.ts'
import { KeptPeer } from './kept-peer.ts'
import { NetworkWatch } from './network-watch.ts'
import { Paths } from './paths.ts'
import { checkPresence } from './presence.ts'
import { RelayList } from './relay-list.ts'
import { ReservationKeeper } from './reservations/keeper.ts'
import { openStorage } from './storage.ts'
import { parseTarget, readMultiaddr } from './target.ts'
import { TokenBearer } from './token-bearer.ts'
import type {
  AbortOptions,
  ComponentLogger,
  Libp2p,
  PeerId,
  PrivateKey,
  StreamHandler,
} from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { HolePunchEvents } from '../src/holepunch/events.ts'
import type { HolePunchService } from '../src/holepunch/service.ts'
import type { PeerConnection } from './connection.ts'
import type { PeerEvents, RelayStatus } from './events.ts'
import type { Storage } from './storage.ts'
import type { Target } from './target.ts'

/** Options of {@link createPeer}. */
export interface PeerInit {
  /**
   * Addresses of relays, each ending in `/p2p/` and the relay's id, or names (`/dnsaddr/...`) that stand for some. Several addresses of one
   * relay count as one.
   */
  relays?: readonly (string | Multiaddr)[]
  /** A file with more of them, one a line; what follows `#` is passed over. It is read again when it changes. */
  relayFile?: string
  /**
   * How many relays hold a reservation for this peer at once; others step in when one is lost. As many as there are, if there are fewer.
   *
   * @default 2
   */
  reservations?: number
  /** Set to false for a peer that only dials: it uses the relays to find others and holds no reservation. */
  reserve?: boolean
  /** A token that the relays ask for; it is shown to those in `relays` and `relayFile` alone. At most 256 bytes. */
  relayToken?: string
  /**
   * The directory that keeps the identity and what is known of other peers. It is locked while the peer runs. Without it the peer has a new
   * identity at each start.
   */
  dataDir?: string
  /** The identity, instead of the one in `dataDir`. */
  privateKey?: PrivateKey
  /**
   * The TCP port that is listened on and punched from, for IPv4 and IPv6; 0 for any that is free.
   *
   * @default 0
   */
  port?: number
  logger?: ComponentLogger
}

/** A running peer. */
export interface Peer extends TypedEventEmitter<PeerEvents>, AsyncDisposable {
  readonly peerId: PeerId
  /** Where others can reach this peer now: circuit addresses first, then those of its own network. */
  readonly addrs: readonly Multiaddr[]
  /** How it stands with each relay that this peer knows. */
  readonly relays: readonly RelayStatus[]
  /**
   * Resolves when a relay holds a reservation for this peer. Relays are asked for as long as the peer runs, so this
   * waits until `signal` fires, and rejects with its reason.
   */
  reachable(options?: AbortOptions): Promise<void>
  /** Handles streams that remote peers open for this protocol, on relayed and direct connections alike. */
  handle(protocol: string, handler: StreamHandler): Promise<void>
  /** Ends {@link handle}. */
  unhandle(protocol: string): Promise<void>
  /**
   * Connects to a remote peer: a circuit address, a direct address, or a peer id (found at this peer's relays).
   * Resolves as soon as there is a path, mostly a relayed one, which then is upgraded without being asked. A path that is lost is made
   * again until the connection is closed.
   *
   * @throws {InvalidTargetError} if the target cannot be understood
   * @throws {UnreachableError} if no path leads there
   */
  connect(target: string | Multiaddr | PeerId, options?: AbortOptions): Promise<PeerConnection>
  /** Stops and frees everything; idempotent. */
  stop(): Promise<void>
  /** The node underneath, for what this interface does not offer. */
  readonly libp2p: Libp2p
}

/**
 * Starts a peer. Resolves when it is started; it can be reached once {@link Peer.reachable} resolves. A relay that is
 * down is no error.
 *
 * @throws {InvalidTargetError} if a relay's address cannot be understood
 * @throws {InvalidConfigError} if `relayFile` cannot be read, or `reservations` is no number of relays
 * @throws {DataDirError} if `dataDir` cannot be used, or another process uses it
 * @throws {IdentityError} if the identity in `dataDir` cannot be used
 * @throws {UnsupportedRuntimeError} if this Node.js is too old
 * @throws {ListenError} if the port is taken
 */
export async function createPeer(init: PeerInit = {}, options: AbortOptions = {}): Promise<Peer> {
  assertRuntime()
  const given = (init.relays ?? []).map(it => (typeof it === 'string' ? readMultiaddr(it) : it))
  const relays = new RelayList(given, init.relayFile)
  assertCount(init.reservations)
  options.signal?.throwIfAborted()
  const storage = init.dataDir === undefined ? undefined : await openStorage(init.dataDir)
  const peer = new PeerNode(relays, init.relayToken, storage)
  try {
    await peer.start(init)
    options.signal?.throwIfAborted()
    return peer
  } catch (error) {
    await peer.stop()
    throw error
  }
}

/** How many relays hold a reservation unless told: one may go down, and nobody notices. */
const DEFAULT_RESERVATIONS = 2

function assertCount(reservations: number = DEFAULT_RESERVATIONS): void {
  if (Number.isInteger(reservations) && reservations > 0) return
  const what = `${reservations} is not a number of relays; give 1 or more, and reserve: false for a peer that only dials`
  throw new InvalidConfigError([{ where: 'reservations', what }])
}

type PeerServices = { dcutr: HolePunchService; reservations: ReservationKeeper; dialer: Dialer }

// The stock transport would look for relays among all peers that it meets, and make reservations of its own.
const NO_DISCOVERY = { has: () => true, add: () => {}, remove: () => {} }

const PUNCH_EVENTS = [
  'holepunch:started',
  'holepunch:attempt',
  'holepunch:succeeded',
  'holepunch:failed',
] as const satisfies ReadonlyArray<keyof HolePunchEvents>

class PeerNode extends TypedEventEmitter<PeerEvents> implements Peer {
  readonly #relays: RelayList
  readonly #token: TokenBearer
  readonly #storage: Storage | undefined
  readonly #network = new NetworkWatch()
  readonly #stopped = new AbortController()
  readonly #kept = new Map<string, KeptPeer>()
  /** Relays that only a target names: they are dialled from the punch port and left out of the events like the others. */
  readonly #namedRelays = new Set<string>()
  #libp2p: Libp2p<PeerServices> | undefined
  #paths: Paths | undefined
  #seen = ''

  constructor(relays: RelayList, relayToken: string | undefined, storage: Storage | undefined) {
    super()
    this.#relays = relays
    this.#storage = storage
    this.#token = new TokenBearer(relayToken, relays)
  }

  async start(init: PeerInit): Promise<void> {
    await this.#relays.start()
    const privateKey = init.privateKey ?? this.#storage?.privateKey ?? (await ephemeralIdentity())
    const port = init.port ?? 0
    const listen = [`/ip4/0.0.0.0/tcp/${port}`, `/ip6/::/tcp/${port}`]
    this.#libp2p = await this.#createNode(init, privateKey, listen)
    this.#paths = new Paths(this.#libp2p, {
      events: this,
      isInfrastructure: peerId => this.#isRelay(peerId.toString()),
      onLost: peerId => void this.#kept.get(peerId.toString())?.restore(),
    })
    this.#listen()
    await startNode(this.#libp2p, listen)
    this.#network.start()
  }

  async #createNode(init: PeerInit, privateKey: PrivateKey, listen: string[]): Promise<Libp2p<PeerServices>> {
    const common = commonOptions({
      privateKey,
      logger: init.logger,
      // once, at the beginning: by the round trip that it measures, windows grow. Then the kernel asks, see src/transport/keep-alive.ts
      yamux: { keepAliveInterval: longestDurationMs },
    })
    const count = init.reserve === false ? 0 : (init.reservations ?? DEFAULT_RESERVATIONS)
    return createLibp2p<PeerServices>({
      ...common,
      ...(this.#storage === undefined ? {} : { datastore: this.#storage.datastore }),
      start: false,
      addresses: { listen },
      // pings would use up what a relay allows a circuit, and cost every relay the processor
      connectionMonitor: { enabled: false },
      connectionGater: {
        denyInboundRelayedConnection: relay => !this.libp2p.services.reservations.isReservedAt(relay),
      },
      transports: [
        tcp({ dialFromPunchPort: addr => this.#isRelay(lastPeerId(addr)) }),
        circuitRelayTransport({ discoveryFilter: NO_DISCOVERY }),
        // for relays on port 443 behind a proxy or with a certificate, where a network lets nothing else out
        webSockets(),
      ],
      services: {
        ...common.services,
        dcutr: dcutr(),
        dialer: components => new Dialer(components, this.#relays, this.#token),
        reservations: components =>
          new ReservationKeeper(components, {
            relays: this.#relays,
            count,
            events: this,
            token: this.#token,
          }),
      },
    })
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

  async handle(protocol: string, handler: StreamHandler): Promise<void> {
    const explained: StreamHandler = (stream, connection) =>
      handler(explainCuts(stream, connection), connection)
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
  async #reach({ peerId, addrs }: Target, options: AbortOptions): Promise<void> {
    const key = peerId.toString()
    const kept = this.#kept.get(key) ?? this.#createKept(peerId)
    for (const addr of addrs) if (isCircuit(addr)) this.#namedRelays.add(lastPeerId(relayAddrOf(addr)))
    kept.learn(addrs)
    try {
      await kept.connect(options)
      this.#kept.set(key, kept)
    } catch (cause) {
      options.signal?.throwIfAborted()
      throw await this.#unreachable(kept, cause)
    }
  }

  #createKept(peerId: PeerId): KeptPeer {
    const { services } = this.libp2p
    const log = this.libp2p.logger.forComponent('throughnat:peer')
    return new KeptPeer(peerId, { paths: this.#paths as Paths, dialer: services.dialer, log })
  }

  async #unreachable(kept: KeptPeer, cause: unknown): Promise<UnreachableError> {
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
    for (const event of ['relays:changed', 'relays:failed'] as const)
      this.#relays.addEventListener(
        event,
        ({ detail }) => this.safeDispatchEvent(event, { detail } as never),
        options,
      )
    this.#network.addEventListener('network:changed', ({ detail }) => this.#onNetworkChange(detail), options)
    libp2p.addEventListener('peer:identify', () => this.#onIdentify(), options)
    this.addEventListener('holepunch:failed', ({ detail: { peerId, reason } }) => {
      void this.#kept.get(peerId.toString())?.punchAgain(reason)
    })
  }

  #onNetworkChange(detail: PeerEvents['network:changed']['detail']): void {
    this.safeDispatchEvent('network:changed', { detail })
    void this.#relays.refresh()
    this.libp2p.services.reservations.wake()
    for (const kept of this.#kept.values()) kept.wake()
    for (const connection of this.#paths?.direct ?? [])
      checkPresence(connection, this.#stopped.signal).catch((error: Error) => connection.abort(error))
  }

  /** What relays see of this peer is another than before: a punch may work now that did not. */
  #onIdentify(): void {
    const seen = this.libp2p.services.dcutr.observed.endpoints().map(String).toSorted().join(' ')
    if (seen === this.#seen) return
    this.#seen = seen
    for (const kept of this.#kept.values()) kept.wake()
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

function lastPeerId(addr: Multiaddr): string {
  return addr.getComponents().findLast(it => it.code === CODE_P2P)?.value ?? ''
}
