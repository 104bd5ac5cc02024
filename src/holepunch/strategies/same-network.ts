/**
 * Same network: two peers that share a public address are behind one NAT, which may not hairpin (RFC 4787 REQ-9).
 * They dial each other's private endpoints as well as the public ones.
 */

import { areOnePair, offerTo, publicCandidates, shareHost } from '../candidates.ts'
import type { Strategy } from './strategy.ts'

export const sameNetwork: Strategy = ({ source, role, local, remote }) => {
  if (source !== 'exchange' || !shareHost(publicCandidates(local), remote.public)) return undefined
  const candidates = [...remote.public, ...remote.private]
  const isOnlyWay = areOnePair(candidates, offerTo(local, remote))
  return { strategy: 'same-network', candidates, from: 'punch-port', role, isOnlyWay, sharesNat: true }
}
