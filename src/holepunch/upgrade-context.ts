/** What all upgrades of one node work with. The hole punch service makes it. */

import type { ComponentLogger, Connection, PeerId, Upgrader } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'
import type { Endpoint } from '../addresses/endpoint.ts'
import type { PunchTransport } from '../transport/punch-transport.ts'
import type { LocalAddresses } from './candidates.ts'
import type { HolePunchEvents } from './events.ts'
import type { LossyPaths } from './paths/lossy-paths.ts'
import type { PeerQueue } from './peer-queue.ts'
import type { PunchBudget } from './punch/punch-budget.ts'
import type { SparePort } from './punch/spare-port.ts'

/** What upgrades have in common. */
export interface UpgradeContext {
  transport: PunchTransport
  upgrader: Upgrader
  logger: ComponentLogger
  events: TypedEventTarget<HolePunchEvents>
  turns: PeerQueue
  budget: PunchBudget
  lossyPaths: LossyPaths
  /** Of the responder. */
  maxAttempts: number
  exchangeTimeoutMs: number
  /** Resolves when relays have had a chance to say what they observed. */
  observed: (signal: AbortSignal) => Promise<void>
  /** True for a peer that a rule names, or that this node has chosen: it may learn what is in this node's network. */
  isNamed: (remotePeer: PeerId) => boolean
  /** Where the relay of a circuit is, as this node is connected to it. */
  relayOf: (circuit: Connection) => Endpoint
  localAddresses: () => LocalAddresses
  /** A port that no attempt has used; undefined where no relay can tell what it is mapped to. */
  sparePort: (signal: AbortSignal) => Promise<SparePort | undefined>
}
