/**
 * Port mapping as a service of a libp2p node.
 *
 * A mapped address becomes a candidate of punches immediately. It is announced after another node has reached
 * it from outside. libp2p's address manager keeps the two apart: `addPublicAddressMapping` adds an address of
 * type `ip-mapping` to `getAddressesWithMetadata()`, the source of the hole punch candidates.
 * `confirmObservedAddr` adds it to `getAddresses()`, the source of identify and others. A confirmation does
 * not expire.
 */

import { scopeOf } from '../../src/addresses/scope.ts'
import { TCP } from '@multiformats/multiaddr-matcher'
import { TypedEventEmitter } from 'main-event'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { PortMapping } from './port-mapping.ts'
import type { ComponentLogger, Libp2pEvents, Logger, Startable } from '@libp2p/interface'
import type { AddressManager, TransportManager } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TypedEventTarget } from 'main-event'
import type { MappingAdded, MappingFailed, MappingLost } from './events.ts'
import type { LocalEndpoint, Mapping, PortMappingInit } from './port-mapping.ts'

/** The libp2p components that the service needs. */
export interface PortMappingComponents {
  addressManager: AddressManager
  transportManager: TransportManager
  events: TypedEventTarget<Libp2pEvents>
  logger: ComponentLogger
}

export interface PortMappingServiceInit extends Pick<PortMappingInit, 'intervalMs' | 'find' | 'network'> {
  /**
   * False for a node that contacts no gateway before {@link PortMappingService.enable} is called. @default
   * true
   */
  enabled?: boolean
  /**
   * Resolves with true if another node has reached this node at `addr` from outside. If false, it is called
   * again later.
   */
  verify: (addr: Multiaddr) => Promise<boolean>
}

export interface PortMappingServiceEvents {
  'mapping:added': CustomEvent<MappingAdded>
  'mapping:lost': CustomEvent<MappingLost>
  'mapping:failed': CustomEvent<MappingFailed>
  /** The address was reached from outside, and is announced from now on. */
  'mapping:verified': CustomEvent<MappingAdded>
}

/**
 * Pause before an unverified mapping is checked again, in milliseconds: libp2p's `addressVerificationRetry`.
 */
const VERIFY_AGAIN_MS = 300_000

/** Creates the service. */
export function portMapping(
  init: PortMappingServiceInit,
): (components: PortMappingComponents) => PortMappingService {
  return components => new PortMappingService(components, init)
}

export class PortMappingService extends TypedEventEmitter<PortMappingServiceEvents> implements Startable {
  readonly [Symbol.toStringTag] = 'throughnat/port-mapping'

  readonly #components: PortMappingComponents
  readonly #init: PortMappingServiceInit
  readonly #log: Logger
  readonly #mapping: PortMapping
  readonly #unverified = new Set<Mapping>()
  /** Verifications in progress; `again` if another one was requested meanwhile. */
  readonly #verifying = new Map<Mapping, { again: boolean }>()
  #timer: NodeJS.Timeout | undefined
  #isEnabled = false

  constructor(components: PortMappingComponents, init: PortMappingServiceInit) {
    super()
    this.#components = components
    this.#init = init
    this.#log = components.logger.forComponent('throughnat:port-mapping')
    const { verify: _, enabled: __, ...rest } = init
    this.#mapping = new PortMapping({ ...rest, ports: () => this.#listening(), log: this.#log })
    this.#mapping.addEventListener('added', ({ detail }) => this.#onAdded(detail.mapping))
    this.#mapping.addEventListener('lost', ({ detail: { mapping, ...detail } }) =>
      this.#onLost(mapping, detail),
    )
    this.#mapping.addEventListener('failed', ({ detail }) => {
      this.safeDispatchEvent('mapping:failed', { detail })
    })
  }

  /** The mappings in force, verified or not. */
  get mappings(): Mapping[] {
    return this.#mapping.mappings
  }

  start(): void {
    if (this.#init.enabled !== false) this.enable()
  }

  /** Starts port mapping if it was not enabled from the start. It may be called more than once. */
  enable(): void {
    if (this.#isEnabled) return
    this.#isEnabled = true
    this.#components.events.addEventListener('transport:listening', this.#onListening)
    this.#components.events.addEventListener('transport:close', this.#onListening)
    this.#mapping.start()
  }

  /** Removes the mappings. Resolves after at most 1.5 s. */
  async stop(): Promise<void> {
    this.#components.events.removeEventListener('transport:listening', this.#onListening)
    this.#components.events.removeEventListener('transport:close', this.#onListening)
    await this.#mapping.stop()
    clearTimeout(this.#timer)
  }

  /**
   * Runs a round now. Call it when the network has changed. Resolves when the round is over. Never rejects.
   */
  async refresh(): Promise<void> {
    if (this.#isEnabled) await this.#mapping.refresh()
  }

  /** Verifies unverified mappings now. Call it when a node that can dial back has appeared. */
  verifyAgain(): void {
    for (const mapping of this.#unverified) void this.#verify(mapping)
  }

  #onListening = (): void => void this.#mapping.refresh()

  #onAdded(mapping: Mapping): void {
    const { internal, external, protocol } = mapping
    const { host, port } = endpointOf(external)
    this.#components.addressManager.addPublicAddressMapping(internal.host, internal.port, host, port, 'tcp')
    this.#unverified.add(mapping)
    this.safeDispatchEvent('mapping:added', { detail: { protocol, addr: external } })
    void this.#verify(mapping)
  }

  #onLost({ internal, external }: Mapping, detail: MappingLost): void {
    const { host, port } = endpointOf(external)
    this.#forget(external)
    this.#components.addressManager.removePublicAddressMapping(
      internal.host,
      internal.port,
      host,
      port,
      'tcp',
    )
    this.safeDispatchEvent('mapping:lost', { detail })
  }

  #forget(external: Multiaddr): void {
    for (const mapping of this.#unverified)
      if (mapping.external.equals(external)) this.#unverified.delete(mapping)
  }

  async #verify(mapping: Mapping): Promise<void> {
    const running = this.#verifying.get(mapping)
    if (running !== undefined) {
      running.again = true
      return
    }
    const state = { again: false }
    this.#verifying.set(mapping, state)
    do {
      state.again = false
      if (await this.#isVerified(mapping)) this.#confirm(mapping)
    } while (state.again && this.#unverified.has(mapping))
    this.#verifying.delete(mapping)
    if (!this.#unverified.has(mapping)) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.verifyAgain(), VERIFY_AGAIN_MS).unref()
  }

  async #isVerified({ external }: Mapping): Promise<boolean> {
    try {
      return await this.#init.verify(external)
    } catch (error) {
      this.#log('could not verify %a - %e', external, error)
      return false
    }
  }

  /** Announces a verified mapping, unless it was lost during the verification. */
  #confirm(mapping: Mapping): void {
    if (!this.#unverified.delete(mapping)) return
    const { external, protocol } = mapping
    this.#components.addressManager.confirmObservedAddr(external, { type: 'ip-mapping' })
    this.safeDispatchEvent('mapping:verified', { detail: { protocol, addr: external } })
  }

  #listening(): LocalEndpoint[] {
    return this.#components.transportManager
      .getAddrs()
      .filter(addr => TCP.exactMatch(addr))
      .map(addr => endpointOf(addr))
      .map(({ host, port }) => ({ family: host.includes(':') ? 6 : 4, host, port }) as const)
      .filter(({ host }) => scopeOf(host) !== 'loopback')
  }
}
