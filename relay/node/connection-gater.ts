/**
 * Refuses connections before they cost anything: from networks with too many, or with too many new ones per
 * second.
 */

import { RequestRates } from '../../src/limits/request-rates.ts'
import { networkOf } from '../../src/limits/ip-network.ts'
import { Quota } from '../../src/limits/quota.ts'
import type { ConnectionGater, MultiaddrConnection } from '@libp2p/interface'
import type { Limits } from '../limits/limits.ts'

/** A connection gater that counts each socket from its acceptance until it is closed. */
export class RelayConnectionGater implements ConnectionGater {
  readonly #maxPerNetwork: number
  readonly #rates: RequestRates
  readonly #quota = new Quota()

  constructor({ maxConnectionsPerNetwork, connectionsPerSecondPerIp }: Limits) {
    this.#maxPerNetwork = maxConnectionsPerNetwork
    this.#rates = new RequestRates(connectionsPerSecondPerIp)
  }

  denyInboundConnection = (connection: MultiaddrConnection): boolean => {
    const { key } = networkOf(connection.remoteAddr)
    const release = this.#quota.take([{ key, max: this.#maxPerNetwork }])
    if (release === undefined) return true
    if (!this.#rates.allow(connection.remoteAddr)) {
      release()
      return true
    }
    connection.addEventListener('close', release, { once: true })
    return false
  }
}
