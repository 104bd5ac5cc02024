/**
 * The relay's public addresses, which it tells to peers in reservations and by identify.
 *
 * libp2p announces a public address of a network interface only when AutoNAT has verified it. Whoever runs a relay says
 * by that that it can be reached, so its own addresses count as verified.
 */

import { isPrivate } from '@libp2p/utils'
import type { AddressManager, TransportManager } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'

// libp2p verifies again after 10 min; there is nobody here to do it
const FOREVER_MS = Number.MAX_SAFE_INTEGER

/** What libp2p hands to a service. */
export interface PublicAddressesComponents {
  addressManager: AddressManager
  transportManager: TransportManager
}

/** A libp2p service, which is how it gets at the address manager. */
export class PublicAddresses {
  readonly #components: PublicAddressesComponents

  constructor(components: PublicAddressesComponents) {
    this.#components = components
  }

  /** Vouches for the public addresses that the node listens on. To be called when it has started. */
  vouch(): void {
    const { addressManager, transportManager } = this.#components
    for (const addr of transportManager.getAddrs()) {
      if (!isPrivate(addr)) addressManager.confirmObservedAddr(addr, { type: 'transport', ttl: FOREVER_MS })
    }
  }

  /** The addresses that the node announces, public ones first. */
  list(): Multiaddr[] {
    return this.#components.addressManager.getAddresses()
  }
}
