/**
 * Keeps what the relay announces in step with the addresses of its host, which come and go: DHCP and SLAAC after boot, another lease, a cable.
 *
 * Wildcard listeners follow by themselves, and new public addresses only have to be vouched for. A single IPv6 address that the host does not have yet is listened on
 * when it comes: libp2p starts with IPv4 alone where all IPv6 addresses fail, as they do during duplicate address detection (RFC 4862 section 5.4), and does not try again.
 */

import net from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { allInterfaces } from '../../src/addresses/interfaces.ts'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { NetworkWatch } from '../../src/node/network-watch.ts'
import { PublicAddresses } from '../../src/patches/libp2p/unverified-addresses.ts'
import type { Startable } from '@libp2p/interface'
import type { TransportManager } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TypedEventTarget } from 'main-event'
import type { PublicAddressesComponents } from '../../src/patches/libp2p/unverified-addresses.ts'
import type { RelayEvents } from '../events.ts'

/** Between attempts to listen on an address that the host has and that is not ready, in milliseconds, and how many there are: detection takes a second or two. */
const RETRY_MS = 2_000
const MAX_RETRIES = 10

/** What the watch gets. */
export interface AddressWatchInit {
  /** Where the relay is to listen, as multiaddrs. */
  listen: readonly string[]
  events: TypedEventTarget<RelayEvents>
}

/** A libp2p service; it has nothing to do until {@link watch} is called. */
export class AddressWatch implements Startable {
  readonly #public: PublicAddresses
  readonly #transportManager: TransportManager
  readonly #listen: readonly Multiaddr[]
  readonly #events: AddressWatchInit['events']
  readonly #network = new NetworkWatch()
  #known = ''
  #retries = 0
  #timer: NodeJS.Timeout | undefined

  constructor(components: PublicAddressesComponents, { listen, events }: AddressWatchInit) {
    this.#public = new PublicAddresses(components)
    this.#transportManager = components.transportManager
    this.#listen = listen.map(it => multiaddr(it))
    this.#events = events
  }

  start(): void {}

  stop(): void {
    clearTimeout(this.#timer)
    this.#network.stop()
  }

  /** Vouches for the addresses that there are, and follows them. To be called when the node has started. */
  watch(): void {
    this.#network.addEventListener('network:changed', this.#onChange)
    this.#network.start()
    this.#public.vouch()
    this.#known = this.#summary()
    if (this.missing.length > 0) this.#retryLater()
  }

  /** What the relay announces, the most useful first. */
  list(): Multiaddr[] {
    return this.#public.list()
  }

  /** Single addresses that were to be listened on and are not. */
  get missing(): Multiaddr[] {
    const listening = new Set(this.#transportManager.getAddrs().map(addr => endpointOf(addr).host))
    return this.#listen.filter(addr => isSingle(addr) && !listening.has(endpointOf(addr).host))
  }

  #onChange = (): void => {
    this.#retries = 0
    void this.#look()
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    clearTimeout(this.#timer)
    const ready = this.missing.filter(isOnThisHost)
    if (ready.length > 0) await this.#transportManager.listen(ready).catch(() => this.#retryLater())
    this.#public.vouch()
    const summary = this.#summary()
    if (summary === this.#known) return
    this.#known = summary
    this.#events.safeDispatchEvent('addresses:changed', { detail: { addrs: this.list() } })
  }

  #retryLater(): void {
    if (this.#retries >= MAX_RETRIES) return
    this.#retries++
    this.#timer = setTimeout(() => void this.#look(), RETRY_MS).unref()
  }

  /** The order says nothing about what can be reached. */
  #summary(): string {
    return this.list().map(String).toSorted().join(' ')
  }
}

/** A wildcard counts as listened on: it has no address of its own. */
function isSingle(addr: Multiaddr): boolean {
  const { host } = endpointOf(addr)
  return net.isIPv6(host) && host !== '::'
}

function isOnThisHost(addr: Multiaddr): boolean {
  const { host } = endpointOf(addr)
  return Object.values(allInterfaces()).some(list => list?.some(it => it.address === host) === true)
}
