/**
 * The peer: a node behind a NAT that is reached through relays, and directly once a hole has been punched.
 */

import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { webSockets } from '@libp2p/websockets'
import { CODE_P2P, CODE_P2P_CIRCUIT } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { TypedEventEmitter } from 'main-event'
import { raceSignal } from 'race-signal'
import { UnreachableError } from '../src/errors.ts'
import { dcutr } from '../src/holepunch/service.ts'
import { ephemeralIdentity, loadIdentity } from '../src/identity.ts'
import { commonOptions, startNode } from '../src/node.ts'
import { assertRuntime } from '../src/runtime.ts'
import { tcp } from '../src/transport/shared-port-tcp.ts'
import { createConnection } from './connection.ts'
import { describeFailure } from './describe-failure.ts'
import { Paths } from './paths.ts'
import { ReservationKeeper } from './reservation-keeper.ts'
import { TokenBearer } from './token-bearer.ts'
import { circuitAddr, parseTarget, readMultiaddr, relayIdOf } from './target.ts'
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
import type { PeerEvents } from './events.ts'
import type { Target } from './target.ts'

/** Options of {@link createPeer}. */
export interface PeerInit {
  /** Addresses of relays, each ending in `/p2p/` and the relay's id. A reservation is kept at every one. */
  relays?: readonly (string | Multiaddr)[]
  /** Set to false for a peer that only dials: it uses the relays to find others and holds no reservation. */
  reserve?: boolean
  /** A token that the relays ask for; it is shown to those in `relays` alone. At most 256 bytes. */
  relayToken?: string
  /** The directory that keeps the identity. Without it the peer has a new identity at each start. */
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
   * Resolves as soon as there is a path, mostly a relayed one, which then is upgraded without being asked.
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
 * @throws {IdentityError} if the identity in `dataDir` cannot be used
 * @throws {UnsupportedRuntimeError} if this Node.js is too old
 * @throws {ListenError} if the port is taken
 */
export async function createPeer(init: PeerInit = {}, options: AbortOptions = {}): Promise<Peer> {
  assertRuntime()
  const relays = (init.relays ?? []).map(it => (typeof it === 'string' ? readMultiaddr(it) : it))
  relays.forEach(relayIdOf)
  const privateKey =
    init.privateKey ??
    (init.dataDir === undefined ? await ephemeralIdentity() : await loadIdentity(init.dataDir))
  options.signal?.throwIfAborted()
  const peer = new PeerNode(relays, init.relayToken)
  try {
    await peer.start(init, privateKey)
    options.signal?.throwIfAborted()
    return peer
  } catch (error) {
    await peer.stop()
    throw error
  }
}

type PeerServices = { dcutr: HolePunchService; reservations: ReservationKeeper }

// The stock transport would look for relays among all peers that it meets, and take the keeper's place in its queue.
const NO_DISCOVERY = { has: () => true, add: () => {}, remove: () => {} }

// Whenever a reservation has been made, the stock transport throws away those that wait in its queue and leaves whoever
// asked for them waiting for ever. So none ever waits; test/network/upstream-faults.test.ts tells when that is mended.
const RESERVATIONS_AT_ONCE = Number.POSITIVE_INFINITY

const PUNCH_EVENTS = [
  'holepunch:started',
  'holepunch:attempt',
  'holepunch:succeeded',
  'holepunch:failed',
] as const satisfies ReadonlyArray<keyof HolePunchEvents>

class PeerNode extends TypedEventEmitter<PeerEvents> implements Peer {
  readonly #relays: readonly Multiaddr[]
  readonly #relayIds: Set<string>
  readonly #token: TokenBearer
  #libp2p: Libp2p<PeerServices> | undefined
  #paths: Paths | undefined

  constructor(relays: readonly Multiaddr[], relayToken: string | undefined) {
    super()
    this.#relays = relays
    this.#token = new TokenBearer(relayToken, relays)
    this.#relayIds = new Set(relays.map(it => relayIdOf(it).toString()))
  }

  async start(init: PeerInit, privateKey: PrivateKey): Promise<void> {
    const relayIds = this.#relayIds
    const reserveAt = init.reserve === false ? [] : this.#relays
    const common = commonOptions({ privateKey, logger: init.logger })
    const port = init.port ?? 0
    const listen = [`/ip4/0.0.0.0/tcp/${port}`, `/ip6/::/tcp/${port}`]
    this.#libp2p = await createLibp2p<PeerServices>({
      ...common,
      start: false,
      addresses: { listen },
      transports: [
        tcp({ dialFromPunchPort: addr => relayIds.has(lastPeerId(addr)) }),
        circuitRelayTransport({
          discoveryFilter: NO_DISCOVERY,
          reservationConcurrency: RESERVATIONS_AT_ONCE,
        }),
        // for relays on port 443 behind a proxy or with a certificate, where a network lets nothing else out
        webSockets(),
      ],
      services: {
        ...common.services,
        dcutr: dcutr(),
        reservations: components => new ReservationKeeper(components, reserveAt, this, this.#token),
      },
    })
    this.#paths = new Paths(this.#libp2p, this, peerId => relayIds.has(peerId.toString()))
    for (const event of PUNCH_EVENTS) this.#pass(event)
    await startNode(this.#libp2p, listen)
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
    await this.libp2p.handle(protocol, handler, { runOnLimitedConnection: true })
  }

  async unhandle(protocol: string): Promise<void> {
    await this.libp2p.unhandle(protocol)
  }

  async connect(name: string | Multiaddr | PeerId, options: AbortOptions = {}): Promise<PeerConnection> {
    const target = parseTarget(name)
    await this.#dial(target, options)
    return createConnection(target.peerId, {
      paths: this.#paths as Paths,
      punching: this.libp2p.services.dcutr,
      reconnect: async signal => this.#dial(target, signal),
      disconnect: async signal => this.libp2p.hangUp(target.peerId, signal),
    })
  }

  async stop(): Promise<void> {
    this.#paths?.stop()
    await this.#libp2p?.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #dial({ peerId, addrs }: Target, options: AbortOptions): Promise<void> {
    if (this.#paths?.to(peerId) !== undefined) return
    for (const addr of addrs) this.#noteRelay(addr)
    const candidates = addrs.length > 0 ? addrs : this.#relays.map(relay => circuitAddr(relay, peerId))
    if (candidates.length === 0)
      throw new UnreachableError(
        `Cannot reach ${peerId}: no relay is known. Give a relay, or a circuit address.`,
      )
    try {
      await this.#token.showOnTheWay(candidates, async relay => this.libp2p.dial(relay, options), options)
      await this.libp2p.dial(candidates, options)
    } catch (cause) {
      options.signal?.throwIfAborted()
      const via = candidates.join(', ')
      throw new UnreachableError(`Cannot reach ${peerId}: ${describeFailure(cause)}. Tried ${via}.`, {
        cause,
      })
    }
  }

  /** A relay that only a target names is dialled from the punch port and left out of the events like the others. */
  #noteRelay(addr: Multiaddr): void {
    const isCircuit = addr.getComponents().some(it => it.code === CODE_P2P_CIRCUIT)
    if (isCircuit) this.#relayIds.add(lastPeerId(addr.decapsulateCode(CODE_P2P_CIRCUIT)))
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
