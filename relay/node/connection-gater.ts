/**
 * Refuses connections before they cost anything: from networks with too many, or with too many new ones per
 * second.
 */

import { guard } from '../../src/patches/multistream-select/endless-length.ts'
import { RequestRates } from '../../src/limits/request-rates.ts'
import { Counter } from '../../src/limits/counter.ts'
import { networkOf } from '../../src/limits/ip-network.ts'
import type { ConnectionGater, MultiaddrConnection } from '@libp2p/interface'
import type { Limits } from '../limits/limits.ts'

/** A connection gater that counts each socket from its acceptance until it is closed. */
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
