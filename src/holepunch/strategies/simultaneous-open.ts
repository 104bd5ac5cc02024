/**
 * Simultaneous open: both sides dial each other's public endpoints from their punch ports at the same moment.
 *
 * Spec: https://github.com/libp2p/specs/blob/master/relay/DCUtR.md#the-protocol, RFC 5382 REQ-2a
 */

import type { Strategy } from './strategy.ts'

export const simultaneousOpen: Strategy = ({ source, role, remote }) => {
  const candidates = remote.public
  if (source !== 'exchange' || candidates.length === 0) return undefined
  return { strategy: 'simultaneous-open', candidates, from: 'punch-port', role }
}
