/** Tests whether the network blocks every port except that of HTTPS. */

import type { Reached } from './reach.ts'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { multiaddr } from '@multiformats/multiaddr'

const HTTPS_PORT = 443

/** Judges by the relays that were reached. `null`, with the reason, if they do not allow a conclusion. */
export function judgeOnly443(reached: readonly Reached[]): { only443: boolean | null; why?: string } {
  const at443 = reached.filter(it => portOf(it) === HTTPS_PORT)
  const elsewhere = reached.filter(it => portOf(it) !== HTTPS_PORT)
  if (elsewhere.some(isReached)) return { only443: false }
  if (!at443.some(isReached)) return { only443: null, why: 'no relay was reached on port 443' }
  if (elsewhere.length === 0)
    return { only443: null, why: 'this test needs a relay on a port other than 443' }
  return { only443: true }
}

function portOf({ report }: Reached): number {
  return endpointOf(multiaddr(report.addr)).port
}

function isReached({ vantage }: Reached): boolean {
  return vantage !== undefined
}
