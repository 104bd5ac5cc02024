/** Whether the network lets nothing out but what looks like the web. */

import type { Reached } from './reach.ts'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { multiaddr } from '@multiformats/multiaddr'

const HTTPS_PORT = 443

/** Told by what was reached; null, with the reason, where the relays do not show it. */
export function judgeOnly443(reached: readonly Reached[]): { only443: boolean | null; why?: string } {
  const at443 = reached.filter(it => portOf(it) === HTTPS_PORT)
  const elsewhere = reached.filter(it => portOf(it) !== HTTPS_PORT)
  if (elsewhere.some(isReached)) return { only443: false }
  if (!at443.some(isReached))
    return { only443: null, why: 'it takes a relay that is reached on port 443 to tell' }
  if (elsewhere.length === 0)
    return { only443: null, why: 'it takes a relay on another port than 443 to tell' }
  return { only443: true }
}

function portOf({ report }: Reached): number {
  return endpointOf(multiaddr(report.addr)).port
}

function isReached({ vantage }: Reached): boolean {
  return vantage !== undefined
}
