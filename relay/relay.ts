/**
 * The relay: a public node that makes peers behind NATs reachable, by circuit-relay v2.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md
 */

import { multiaddr } from '@multiformats/multiaddr'
import { WebSocketsSecure } from '@multiformats/multiaddr-matcher'
import { TypedEventEmitter } from 'main-event'
import { InvalidConfigError } from '../src/errors.ts'
import { relayDefaults } from './defaults.ts'
import { ephemeralIdentity, loadIdentity } from '../src/files/identity.ts'
import { startNode } from '../src/node/stack.ts'
import { Certificate } from './node/certificate.ts'
import { limitsOf } from './limits/limits.ts'
import { createNode } from './node/node.ts'
import type { AbortOptions, ComponentLogger, Libp2p, PeerId, PrivateKey } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Admission } from './admission/admission.ts'
import type { RelayEvents } from './events.ts'
import type { HopService } from './hop/hop-service.ts'
import type { RelayLibp2p } from './node/node.ts'
import type { LimitOverrides, Limits, ProfileName } from './limits/limits.ts'

/** Options of {@link createRelay}. Each limit can be set on its own; the profile provides the others. */
export interface RelayInit extends LimitOverrides {
  /**
   * The multiaddrs to listen on.
   *
   * @default ['/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/4001']
   */
  listen?: readonly string[]
  /**
   * The multiaddrs to announce to peers, if they are not addresses of the network interfaces.
   *
   * @default what the node listens on
   */
  announce?: readonly string[]
  /** The directory that contains the identity. Without it the relay gets a new identity at each start. */
  dataDir?: string
  /** The identity, instead of the one in `dataDir`. */
  privateKey?: PrivateKey
  /**
   * The limits to start from. `private` sets no limit on circuits: combine it with `admission`.
   *
   * @default 'open'
   */
  profile?: ProfileName
  /**
   * The file with the certificate for `/tls/ws` addresses, in PEM, followed by its chain. A file that other users can
   * change is refused.
   */
  tlsCert?: string | undefined
  /** The file with the certificate's key, in PEM. A file that other users can change is refused. */
  tlsKey?: string | undefined
  /** Which peers may reserve and connect. @default everybody */
  admission?: Admission
  /**
   * How long a reservation lasts unless it is refreshed, in milliseconds (go-libp2p's `ReservationTTL`).
   * The connection of a peer whose reservation expires is closed as soon as it has no streams, so that the peer notices.
   *
   * @default 3600000
   */
  reservationTtlMs?: number
  /**
   * Dials peers back (AutoNAT v2) that connect from an address of this host. Set it for tests on one machine only: behind a
   * proxy on this host, all strangers have such an address, and could try the ports of this host.
   *
   * @default false
   */
  dialBackToThisHost?: boolean
  logger?: ComponentLogger
}

/** A running relay. */
export interface Relay extends TypedEventEmitter<RelayEvents>, AsyncDisposable {
  readonly peerId: PeerId
  /** The addresses that peers can give as `relay`, each with this relay's peer id. `addresses:changed` reports others. */
  readonly addrs: readonly Multiaddr[]
  /** Addresses of `listen` that this host does not have yet. The relay listens on each as soon as the host has it. */
  readonly missingAddrs: readonly Multiaddr[]
  /** The underlying libp2p node, for what this interface does not offer. */
  readonly libp2p: Libp2p
  /** The limits in force. */
  readonly limits: Limits
  /** True after {@link drain} was called: the relay refuses new reservations and circuits. */
  readonly isDraining: boolean
  /** The reservations in force. */
  readonly reservations: HopService['reservations']
  /** Number of circuits that are open or being opened. */
  readonly circuits: number
  /** Number of connections to peers, with and without a reservation. */
  readonly connections: number
  /** Bytes of all circuits since the start, including open ones. */
  readonly bytesTransferred: HopService['bytesTransferred']
  /**
   * Refuses new reservations and circuits from now on. Resolves when no circuit is left. Does not stop the
   * relay.
   *
   * @throws the reason of `signal`, if that fires first; the relay stays in this state
   */
  drain(options?: AbortOptions): Promise<void>
  /**
   * Reads the certificate again, for connections from now on. The relay also does so by itself within seconds after its files have changed.
   *
   * @throws {CertificateError} if it cannot be used; the previous certificate then stays in use
   */
  reloadCertificate(): Promise<void>
  /** Stops the relay and frees its resources. It may be called more than once. */
  stop(): Promise<void>
}

/**
 * Starts a relay. Resolves when it listens. When `signal` fires, the relay stops and the promise rejects with
 * its reason.
 *
 * @throws {IdentityError} if the identity in `dataDir` cannot be used
 * @throws {ListenError} if an address cannot be listened on
 * @throws {CertificateError} if the certificate cannot be used
 * @throws {InvalidConfigError} if a `/tls/ws` address is given without a certificate, or only one of
 * `tlsCert` and `tlsKey`
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

class RelayNode extends TypedEventEmitter<RelayEvents> implements Relay {
  readonly #init: RelayInit
  readonly #privateKey: PrivateKey
  readonly #certificate: Certificate | undefined
  readonly limits: Limits
  #libp2p: RelayLibp2p | undefined

  constructor(init: RelayInit, privateKey: PrivateKey) {
    super()
    this.#init = init
    this.limits = limitsOf(init.profile, init)
    this.#privateKey = privateKey
    this.#certificate = certificateOf(init)
  }

  async start(): Promise<void> {
    await this.#certificate?.load()
    this.#libp2p = await createNode({
      ...relayDefaults,
      ...this.#init,
      privateKey: this.#privateKey,
      limits: this.limits,
      certificate: this.#certificate,
      events: this,
    })
    await startNode(this.#libp2p, this.#init.listen ?? relayDefaults.listen)
    this.#libp2p.services.addresses.watch()
    this.#certificate?.watch(({ failure }) => {
      if (failure === undefined) this.safeDispatchEvent('certificate:renewed', { detail: {} })
      else this.safeDispatchEvent('certificate:failed', { detail: { reason: failure.message } })
    })
  }

  get libp2p(): RelayLibp2p {
    if (this.#libp2p === undefined) throw new TypeError('the relay has not been started')
    return this.#libp2p
  }

  get peerId(): PeerId {
    return this.libp2p.peerId
  }

  get addrs(): Multiaddr[] {
    return this.libp2p.services.addresses.list()
  }

  get missingAddrs(): Multiaddr[] {
    return this.libp2p.services.addresses.missing
  }

  get reservations(): HopService['reservations'] {
    return this.libp2p.services.relay.reservations
  }

  get connections(): number {
    return this.libp2p.getConnections().length
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

  async reloadCertificate(): Promise<void> {
    await this.#certificate?.load()
  }

  async stop(): Promise<void> {
    this.#certificate?.unwatch()
    await this.#libp2p?.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

function certificateOf({ tlsCert, tlsKey, listen = [] }: RelayInit): Certificate | undefined {
  if (tlsCert !== undefined && tlsKey !== undefined) {
    return new Certificate({ certFile: tlsCert, keyFile: tlsKey })
  }
  if (tlsCert !== undefined || tlsKey !== undefined) {
    throw new InvalidConfigError([
      { where: 'tls-cert, tls-key', what: 'both are required: give the other one too' },
    ])
  }
  const secure = listen.find(it => WebSocketsSecure.matches(multiaddr(it)))
  if (secure === undefined) return undefined
  throw new InvalidConfigError([
    { where: 'listen', what: `${secure} needs a certificate: set tls-cert and tls-key` },
  ])
}
