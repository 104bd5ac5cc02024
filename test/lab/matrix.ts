/** The NAT matrix as data: which kinds of NATs are paired, and how each pair ends. */

import { pairedKinds } from './net/nat-kind.ts'
import { canPunch } from './reachability.ts'

/** How a pair of peers ends up. */
export type Outcome = 'direct' | 'relayed'

export type Kind = keyof typeof pairedKinds

/** The kinds that are paired with each other. */
export const kinds = Object.keys(pairedKinds) as Kind[]

/** How a dialer behind one kind and a listener behind another end up. */
export function outcomeOf(dialer: Kind, listener: Kind): Outcome {
  return canPunch(pairedKinds[dialer], pairedKinds[listener]) ? 'direct' : 'relayed'
}
