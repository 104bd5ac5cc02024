/** A strategy: one way in which a circuit can become a direct connection. */

import type { RemoteCandidates, LocalAddresses } from '../candidates.ts'
import type { PunchRole } from '../events.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/** What is known when a strategy is chosen. */
export interface Situation {
  /** Where the remote's addresses come from: the DCUtR exchange, or identify where there is no exchange. */
  source: 'exchange' | 'identify'
  role: PunchRole
  local: LocalAddresses
  remote: RemoteCandidates
}

/** The names of the strategies. */
type StrategyName = 'same-network' | 'simultaneous-open' | 'remote-dials' | 'reversal'

/** What a strategy does: which endpoints are dialled, and from where. */
export interface Plan {
  readonly strategy: StrategyName
  /** The endpoints to dial, at once. Empty if this side only waits for the remote. */
  readonly candidates: readonly Multiaddr[]
  /** `punch-port`: dial again and again, and claim inbound sockets. `ephemeral-port`: dial once. */
  readonly from: 'punch-port' | 'ephemeral-port'
  /** Client or server above TCP: {@link PunchRole} in a punch, always the initiator in a plain dial. */
  readonly role: PunchRole
  /** True if both are behind one NAT: the remote may come from any private address. */
  readonly sharesNat?: boolean
}

/** A pure function: the plan for a situation, or undefined where the strategy does not apply. */
export type Strategy = (situation: Situation) => Plan | undefined
