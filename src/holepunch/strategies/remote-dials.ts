/**
 * The remote dials: it offered no endpoint that may be dialled, but this side has told it public ones, and may be
 * reachable there. So the exchange goes on to its SYNC, as that of go-libp2p does, and this side waits. A stock js-libp2p
 * initiator offers private addresses only, and then dials as a client, as the roles of DCUtR have it.
 */

import { publicCandidates } from '../candidates.ts'
import type { Strategy } from './strategy.ts'

export const remoteDials: Strategy = ({ source, role, local, remote }) => {
  if (source !== 'exchange' || role !== 'responder') return undefined
  if (remote.public.length > 0 || publicCandidates(local).length === 0) return undefined
  return { strategy: 'remote-dials', candidates: [], from: 'punch-port', role }
}
