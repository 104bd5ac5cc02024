/**
 * The relay's public addresses, which reservations and identify contain.
 *
 * Fault of `libp2p` 3.3.11: it announces a public address of a network interface only when AutoNAT has
 * verified it (address-manager/transport-addresses.ts), and this cannot be turned off. The operator of a
 * relay has decided that it can be reached, so its own addresses count as verified.
 *
 * Upstream issue: by design.
 */

import { isPrivate } from '@libp2p/utils'
import { shapeCheck } from '../expect-shape.ts'
import type { AddressManager, TransportManager } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'

// libp2p verifies again after 10 min; there is nobody here to do it
const FOREVER_MS = Number.MAX_SAFE_INTEGER

/** What libp2p hands to a service. */
export interface PublicAddressesComponents {
  addressManager: AddressManager
  transportManager: TransportManager
}

const assertManagerShape = shapeCheck('libp2p', { confirmObservedAddr: 'function', getAddresses: 'function' })
const assertTransportsShape = shapeCheck('libp2p', { getAddrs: 'function' })

/** A libp2p service, which is how it gets at the address manager. */
export class PublicAddresses {
  readonly #components: PublicAddressesComponents

  /** @throws {UpstreamChangedError} */
  constructor(components: PublicAddressesComponents) {
    assertManagerShape(components.addressManager)
    assertTransportsShape(components.transportManager)
    this.#components = components
  }

  /** Vouches for the public addresses that the node listens on. To be called when it has started. */
  vouch(): void {
    const { addressManager, transportManager } = this.#components
    for (const addr of transportManager.getAddrs()) {
      if (!isPrivate(addr)) addressManager.confirmObservedAddr(addr, { type: 'transport', ttl: FOREVER_MS })
    }
  }

  /** The addresses that the node announces. */
  list(): Multiaddr[] {
    return this.#components.addressManager.getAddresses()
  }
}
