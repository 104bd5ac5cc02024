/**
 * The public addresses of this machine's own network interfaces, where there is no NAT.
 *
 * libp2p keeps them to itself until they are verified. A relay that sees this peer come from one says that nothing translates it; what is left is a firewall. Over IPv4 that
 * is rare enough to announce the address at once (so does go-libp2p), and to take it back if somebody who dials it does not get through. Over IPv6 it is the rule, so
 * there the address has to be reached first: a remote that dials in vain before it punches loses seconds (10 s in go-libp2p, `directDialTimeout`).
 */

import { scopeOf } from '../../src/addresses/scope.ts'
import net from 'node:net'
import { longestDurationMs } from '../../src/config/kinds/quantities.ts'
import { endpointOf, withoutPeerId } from '../../src/addresses/endpoint.ts'
import type { ComponentLogger, Logger } from '@libp2p/interface'
import type { AddressManager, TransportManager } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'

/** What somebody else found who dialled an address; `unknown` where nobody did. */
export type Reach = 'reached' | 'unreached' | 'unknown'

/** What libp2p hands to the service. */
export interface OwnAddressesComponents {
  addressManager: AddressManager
  transportManager: TransportManager
  logger: ComponentLogger
}

/** Announces them; it has nothing to do until {@link check} is called. */
export class OwnAddresses {
  readonly #components: OwnAddressesComponents
  readonly #dialBack: (addr: Multiaddr) => Promise<Reach>
  readonly #log: Logger
  /** Those that are being dialled, or have been, by what came of it. */
  readonly #reach = new Map<string, Reach>()

  constructor(components: OwnAddressesComponents, dialBack: (addr: Multiaddr) => Promise<Reach>) {
    this.#components = components
    this.#dialBack = dialBack
    this.#log = components.logger.forComponent('throughnat:own-addresses')
  }

  /** Looks for own addresses among those that relays see. Each is dialled once, unless nobody could; resolves then, and never rejects. */
  async check(seen: readonly Multiaddr[]): Promise<void> {
    const own = this.#components.transportManager.getAddrs().map(withoutPeerId)
    await Promise.all(
      seen
        .filter(addr => isPublic(addr) && own.some(it => it.equals(addr)))
        .map(addr => this.#announce(addr)),
    )
  }

  /** What was found out does not hold in another network. */
  forget(): void {
    this.#reach.clear()
  }

  async #announce(addr: Multiaddr): Promise<void> {
    const key = addr.toString()
    if (this.#reach.has(key)) return
    this.#reach.set(key, 'unknown')
    if (net.isIPv4(endpointOf(addr).host)) this.#confirm(addr)
    const reach = await this.#dialBack(addr)
    this.#log('%a is %s', addr, reach)
    if (reach === 'unknown') this.#reach.delete(key)
    else this.#reach.set(key, reach)
    if (reach === 'reached') this.#confirm(addr)
    if (reach === 'unreached') this.#components.addressManager.removeObservedAddr(addr)
  }

  #confirm(addr: Multiaddr): void {
    this.#components.addressManager.confirmObservedAddr(addr, { type: 'transport', ttl: longestDurationMs })
  }
}

function isPublic(addr: Multiaddr): boolean {
  return scopeOf(endpointOf(addr).host) === 'public'
}
