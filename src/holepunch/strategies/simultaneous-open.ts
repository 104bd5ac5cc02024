/**
 * Simultaneous open: both sides dial each other's public endpoints from their punch ports at the same moment.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/relay/DCUtR.md#the-protocol, RFC 5382 REQ-2a
 */

import { areOnePair, publicCandidates } from '../candidates.ts'
import type { Strategy } from './strategy.ts'

export const simultaneousOpen: Strategy = ({ source, role, local, remote }) => {
  const candidates = remote.public
  if (source !== 'exchange' || candidates.length === 0) return undefined
  const isOnlyWay = areOnePair(candidates, publicCandidates(local))
  return { strategy: 'simultaneous-open', candidates, from: 'punch-port', role, isOnlyWay }
}
