/** Turns connections away before they cost anything: those of a network that has as many as it may. */

import { Tally } from './hop/tally.ts'
import { networkOf } from './network.ts'
import type { ConnectionGater, MultiaddrConnection } from '@libp2p/interface'

/** A connection gater that counts, from the moment when a socket is accepted until it is closed. */
export class Gatekeeper implements ConnectionGater {
  readonly #maxPerNetwork: number
  readonly #networks = new Tally()

  /** @param maxPerNetwork - connections of one IPv4 address or IPv6 /56, those that are being set up included */
  constructor(maxPerNetwork: number) {
    this.#maxPerNetwork = maxPerNetwork
  }

  denyInboundConnection = (connection: MultiaddrConnection): boolean => {
    const { key } = networkOf(connection.remoteAddr)
    if (this.#networks.count(key) >= this.#maxPerNetwork) return true
    this.#networks.add(key)
    connection.addEventListener('close', () => this.#networks.remove(key), { once: true })
    return false
  }
}
