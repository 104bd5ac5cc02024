/** Turns connections away before they cost anything: those of a network that has as many as it may, or makes them too fast. */

import { guard } from '../../src/patches/multistream-select/endless-length.ts'
import { RequestRates } from '../../src/limits/request-rates.ts'
import { Counter } from '../../src/limits/counter.ts'
import { networkOf } from '../../src/limits/ip-network.ts'
import type { ConnectionGater, MultiaddrConnection } from '@libp2p/interface'
import type { Limits } from '../limits/limits.ts'

/** A connection gater that counts, from the moment when a socket is accepted until it is closed. */
export class RelayConnectionGater implements ConnectionGater {
  readonly #maxPerNetwork: number
  readonly #rates: RequestRates
  readonly #networks = new Counter()

  constructor({ maxConnectionsPerNetwork, connectionsPerSecondPerIp }: Limits) {
    this.#maxPerNetwork = maxConnectionsPerNetwork
    this.#rates = new RequestRates(connectionsPerSecondPerIp)
  }

  denyInboundConnection = (connection: MultiaddrConnection): boolean => {
    const { key } = networkOf(connection.remoteAddr)
    if (this.#networks.count(key) >= this.#maxPerNetwork) return true
    if (!this.#rates.allow(connection.remoteAddr)) return true
    guard(connection)
    this.#networks.add(key)
    connection.addEventListener('close', () => this.#networks.remove(key), { once: true })
    return false
  }
}
