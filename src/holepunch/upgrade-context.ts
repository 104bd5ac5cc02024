/** What all upgrades of one node work with. The hole punch service makes it. */

import type { ComponentLogger, Upgrader } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'
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
  localAddresses: () => LocalAddresses
  /** A port that no attempt has used; undefined where no relay can tell what it is mapped to. */
  sparePort: (signal: AbortSignal) => Promise<SparePort | undefined>
}
