/** Chooses the strategy for a situation. To add one, write its file in this folder and a line here. */

import { remoteDials } from './remote-dials.ts'
import { reversal } from './reversal.ts'
import { sameNetwork } from './same-network.ts'
import { simultaneousOpen } from './simultaneous-open.ts'
import type { Plan, Situation, Strategy } from './strategy.ts'

/** In order of preference. */
const strategies: readonly Strategy[] = [sameNetwork, simultaneousOpen, remoteDials, reversal]

/** The plan of the first strategy that applies; undefined if none does. A pure function. */
export function choosePlan(situation: Situation): Plan | undefined {
  for (const strategy of strategies) {
    const plan = strategy(situation)
    if (plan !== undefined) return plan
  }
  return undefined
}
