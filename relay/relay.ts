/**
 * The relay: a public node through which peers behind NATs are reached, by circuit-relay v2.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md
 */

import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import { TypedEventEmitter } from 'main-event'
import { ephemeralIdentity, loadIdentity } from '../src/identity.ts'
import { commonOptions, startNode } from '../src/node.ts'
import { Gatekeeper } from './gatekeeper.ts'
import { circuitRelayHop } from './hop/hop-service.ts'
import { limitsOf } from './limits.ts'
import { PublicAddresses } from './public-addresses.ts'
import type { AbortOptions, ComponentLogger, Libp2p, PeerId, PrivateKey } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TypedEventTarget } from 'main-event'
import type { Admission } from './admission/admission.ts'
import type { RelayEvents } from './events.ts'
import type { HopService } from './hop/hop-service.ts'
import type { LimitOverrides, Limits, ProfileName } from './limits.ts'

/** Options of {@link createRelay}. Each of the limits can be given by itself; the profile tells the others. */
export interface RelayInit extends LimitOverrides {
  /**
   * Where to listen, as multiaddrs.
   *
   * @default ['/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/4001']
   */
  listen?: readonly string[]
  /**
   * The addresses that peers are told, as multiaddrs, where they are not those of the network interfaces.
   *
   * @default what the node listens on
   */
  announce?: readonly string[]
  /** The directory that keeps the identity. Without it the relay has a new identity at each start. */
  dataDir?: string
  /** The identity, instead of the one in `dataDir`. */
  privateKey?: PrivateKey
  /**
   * The limits to start from; `public` is for relays that anyone may use.
   *
   * @default 'private'
   */
  profile?: ProfileName
  /** Who may reserve and connect. @default everybody */
  admission?: Admission
  /**
   * How long a reservation lasts unless it is refreshed, in milliseconds (go-libp2p's `ReservationTTL`).
   *
   * @default 3600000
   */
  reservationTtlMs?: number
  logger?: ComponentLogger
}

/** A running relay. */
export interface Relay extends TypedEventEmitter<RelayEvents>, AsyncDisposable {
  readonly peerId: PeerId
  /** The addresses that peers can give as `relay`, each with this relay's peer id. */
  readonly addrs: readonly Multiaddr[]
  /** The node underneath, for what this interface does not offer. */
  readonly libp2p: Libp2p
  /** What its peers may take. */
  readonly limits: Limits
  /** No new reservations and circuits: {@link drain} was called. */
  readonly isDraining: boolean
  /** Who holds a reservation. */
  readonly reservations: HopService['reservations']
  /** Circuits that are open or being opened. */
  readonly circuits: number
  /** Bytes of all circuits since the start, those that are open included. */
  readonly bytesTransferred: HopService['bytesTransferred']
  /**
   * Refuses new reservations and circuits from now on, and resolves when no circuit is left. The relay is still to be stopped.
   *
   * @throws the reason of `signal` when that fires before
   */
  drain(options?: AbortOptions): Promise<void>
  /** Stops and frees everything; idempotent. */
  stop(): Promise<void>
}

/** The values that hold where {@link RelayInit} is silent. */
export const relayDefaults = {
  listen: ['/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/4001'],
  reservationTtlMs: 3_600_000,
} as const

/**
 * Starts a relay; resolves when it listens.
 *
 * @throws {IdentityError} if the identity in `dataDir` cannot be used
 * @throws {ListenError} if an address cannot be listened on
 */
export async function createRelay(init: RelayInit = {}, options: AbortOptions = {}): Promise<Relay> {
  const privateKey = init.privateKey ?? (await identityOf(init))
  options.signal?.throwIfAborted()
  const relay = new RelayNode(init, privateKey)
  try {
    await relay.start()
    options.signal?.throwIfAborted()
    return relay
  } catch (error) {
    await relay.stop()
    throw error
  }
}

async function identityOf({ dataDir }: RelayInit): Promise<PrivateKey> {
  return dataDir === undefined ? ephemeralIdentity() : loadIdentity(dataDir)
}

type RelayLibp2p = Libp2p<{ relay: HopService; publicAddresses: PublicAddresses }>

class RelayNode extends TypedEventEmitter<RelayEvents> implements Relay {
  readonly #init: RelayInit
  readonly #privateKey: PrivateKey
  readonly limits: Limits
  #libp2p: RelayLibp2p | undefined

  constructor(init: RelayInit, privateKey: PrivateKey) {
    super()
    this.#init = init
    this.limits = limitsOf(init.profile, init)
    this.#privateKey = privateKey
  }

  async start(): Promise<void> {
    this.#libp2p = await createNode({ ...this.#init, limits: this.limits }, this.#privateKey, this)
    await startNode(this.#libp2p, this.#init.listen ?? relayDefaults.listen)
    this.#libp2p.services.publicAddresses.vouch()
  }

  get libp2p(): RelayLibp2p {
    if (this.#libp2p === undefined) throw new TypeError('the relay has not been started')
    return this.#libp2p
  }

  get peerId(): PeerId {
    return this.libp2p.peerId
  }

  get addrs(): Multiaddr[] {
    return this.libp2p.services.publicAddresses.list()
  }

  get reservations(): HopService['reservations'] {
    return this.libp2p.services.relay.reservations
  }

  get bytesTransferred(): HopService['bytesTransferred'] {
    return this.libp2p.services.relay.bytesTransferred
  }

  get isDraining(): boolean {
    return this.libp2p.services.relay.isDraining
  }

  get circuits(): number {
    return this.libp2p.services.relay.circuits
  }

  async drain(options?: AbortOptions): Promise<void> {
    await this.libp2p.services.relay.drain(options)
  }

  async stop(): Promise<void> {
    await this.#libp2p?.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

async function createNode(
  init: RelayInit & { limits: Limits },
  privateKey: PrivateKey,
  events: TypedEventTarget<RelayEvents>,
): Promise<RelayLibp2p> {
  const { listen, announce = [], reservationTtlMs, limits } = { ...relayDefaults, ...init }
  const common = commonOptions({ privateKey, logger: init.logger })
  return createLibp2p({
    ...common,
    start: false,
    addresses: { listen: [...listen], announce: [...announce] },
    // an idle reservation is no dead connection: the connection monitor's pings tell which are
    transports: [tcp({ inboundSocketInactivityTimeout: 0, outboundSocketInactivityTimeout: 0 })],
    connectionGater: new Gatekeeper(limits.maxConnectionsPerNetwork),
    connectionManager: {
      // libp2p's own caps (300 connections, 10 of them being set up, 5 a second from one address) choke a relay
      maxConnections: limits.maxConnections,
      maxIncomingPendingConnections: limits.maxConnections,
      inboundConnectionThreshold: limits.connectionsPerSecondPerIp,
    },
    services: {
      ...common.services,
      publicAddresses: components => new PublicAddresses(components),
      relay: circuitRelayHop({
        limits,
        reservationTtlMs,
        events,
        ...(init.admission === undefined ? {} : { admission: init.admission }),
      }),
    },
  }) as Promise<RelayLibp2p>
}
