/**
 * The relay: a public node through which peers behind NATs are reached, by circuit-relay v2.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md
 */

import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import { TypedEventEmitter } from 'main-event'
import { ephemeralIdentity, loadIdentity } from '../src/identity.ts'
import { commonOptions, startNode } from '../src/node.ts'
import { Accounting } from './accounting.ts'
import { PublicAddresses } from './public-addresses.ts'
import type { CircuitRelayService } from '@libp2p/circuit-relay-v2'
import type { AbortOptions, ComponentLogger, Libp2p, PeerId, PrivateKey } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { RelayEvents } from './events.ts'

/** Options of {@link createRelay}. */
export interface RelayInit {
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
   * How many peers may hold a reservation at once. The stock server has 15, go-libp2p 128 (`MaxReservations`).
   *
   * @default 1024
   */
  maxReservations?: number
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
  /** Stops and frees everything; idempotent. */
  stop(): Promise<void>
}

/** The values that hold where {@link RelayInit} is silent. */
export const relayDefaults = {
  listen: ['/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/4001'],
  maxReservations: 1024,
  reservationTtlMs: 3_600_000,
} as const

/** Connections for each reservation: the peer's own, and dialers that come, connect through, and leave. */
const CONNECTIONS_PER_RESERVATION = 3

/**
 * Circuits over one connection of a peer. The stock default of 32 streams a protocol chokes a service with many
 * clients (js-libp2p issue 1806). As many as there are reservations by default: each of those peers may dial the one.
 */
const MAX_CIRCUITS_PER_CONNECTION = 1024

/**
 * New connections a second from one address, libp2p's default being 5: peers of one office, or one carrier, share an
 * address, and they all come back at once when the relay has been restarted.
 */
const CONNECTIONS_PER_SECOND_PER_HOST = 500

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

type RelayLibp2p = Libp2p<{ relay: CircuitRelayService; publicAddresses: PublicAddresses }>

class RelayNode extends TypedEventEmitter<RelayEvents> implements Relay {
  readonly #init: RelayInit
  readonly #privateKey: PrivateKey
  #libp2p: RelayLibp2p | undefined

  constructor(init: RelayInit, privateKey: PrivateKey) {
    super()
    this.#init = init
    this.#privateKey = privateKey
  }

  async start(): Promise<void> {
    const accounting = new Accounting(this, { ...relayDefaults, ...this.#init })
    this.#libp2p = await createStockRelay(this.#init, this.#privateKey, accounting)
    accounting.watch(this.#libp2p)
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

  async stop(): Promise<void> {
    await this.#libp2p?.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

async function createStockRelay(
  init: RelayInit,
  privateKey: PrivateKey,
  accounting: Accounting,
): Promise<RelayLibp2p> {
  const { listen, announce = [], maxReservations, reservationTtlMs } = { ...relayDefaults, ...init }
  const common = commonOptions({ privateKey, logger: init.logger })
  const maxConnections = maxReservations * CONNECTIONS_PER_RESERVATION
  return createLibp2p({
    ...common,
    start: false,
    addresses: { listen: [...listen], announce: [...announce] },
    // an idle reservation is no dead connection: the connection monitor's pings tell which are
    transports: [tcp({ inboundSocketInactivityTimeout: 0, outboundSocketInactivityTimeout: 0 })],
    connectionGater: accounting.gater,
    connectionManager: {
      maxConnections,
      maxIncomingPendingConnections: maxConnections,
      inboundConnectionThreshold: CONNECTIONS_PER_SECOND_PER_HOST,
    },
    services: {
      ...common.services,
      publicAddresses: components => new PublicAddresses(components),
      relay: circuitRelayServer({
        maxInboundHopStreams: MAX_CIRCUITS_PER_CONNECTION,
        maxOutboundStopStreams: MAX_CIRCUITS_PER_CONNECTION,
        // its duration goes out in milliseconds where the specification says seconds: no limit rather than a wrong one
        reservations: { maxReservations, reservationTtl: reservationTtlMs, applyDefaultLimit: false },
      }),
    },
  }) as Promise<RelayLibp2p>
}
