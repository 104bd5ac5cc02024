/**
 * Same network: two peers that share a public address are behind one NAT, which may not hairpin (RFC 4787 REQ-9).
 * They dial each other's private endpoints as well as the public ones.
 */

import { publicCandidates, shareHost } from '../candidates.ts'
import type { Strategy } from './strategy.ts'

export const sameNetwork: Strategy = ({ source, role, local, remote }) => {
  if (source !== 'exchange' || !shareHost(publicCandidates(local), remote.public)) return undefined
  const candidates = [...remote.public, ...remote.private]
  return { strategy: 'same-network', candidates, from: 'punch-port', role, sharesNat: remote.sharesNetwork }
}
