/**
 * The NAT matrix as data: which pairs of NATs end direct, and why. RFC 4787 and 5382 name the behaviours.
 *
 * A SYN from one side gets in at the other if that one's NAT filters by nothing (EIF); or by address (ADF), once it has
 * sent to that address; or by address and port (APDF), if the sender's mapping does not depend on the destination (EIM).
 * A pair ends direct if either direction gets in. How a NAT reacts to a SYN that comes too early makes no difference
 * to the outcome, and must not.
 */

import type { NatKindName } from './net/network.ts'

/** How a pair of peers ends up. */
export type Outcome = 'direct' | 'relayed'

/** The kinds that are paired with each other. */
export const kinds = [
  'none',
  'eim-eif',
  'eim-adf',
  'eim-apdf-drop',
  'eim-apdf-rst',
  'eim-apdf-icmp',
  'apdm-eif',
  'apdm-apdf-drop',
  'apdm-apdf-rst',
] as const satisfies readonly NatKindName[]

export type Kind = (typeof kinds)[number]

type Behaviour = 'open' | 'eim-adf' | 'eim-apdf' | 'apdm-eif' | 'apdm-apdf'

const behaviour: Readonly<Record<Kind, Behaviour>> = {
  none: 'open',
  'eim-eif': 'open',
  'eim-adf': 'eim-adf',
  'eim-apdf-drop': 'eim-apdf',
  'eim-apdf-rst': 'eim-apdf',
  'eim-apdf-icmp': 'eim-apdf',
  'apdm-eif': 'apdm-eif',
  'apdm-apdf-drop': 'apdm-apdf',
  'apdm-apdf-rst': 'apdm-apdf',
}

// the table is its own mirror image: who dials the circuit makes no difference
const outcomes: Readonly<Record<Behaviour, Readonly<Record<Behaviour, Outcome>>>> = {
  open: {
    open: 'direct',
    'eim-adf': 'direct',
    'eim-apdf': 'direct',
    'apdm-eif': 'direct',
    'apdm-apdf': 'direct',
  },
  'eim-adf': {
    open: 'direct',
    'eim-adf': 'direct',
    'eim-apdf': 'direct',
    'apdm-eif': 'direct',
    'apdm-apdf': 'direct',
  },
  'eim-apdf': {
    open: 'direct',
    'eim-adf': 'direct',
    'eim-apdf': 'direct',
    'apdm-eif': 'direct',
    'apdm-apdf': 'relayed',
  },
  'apdm-eif': {
    open: 'direct',
    'eim-adf': 'direct',
    'eim-apdf': 'direct',
    'apdm-eif': 'direct',
    'apdm-apdf': 'direct',
  },
  'apdm-apdf': {
    open: 'direct',
    'eim-adf': 'direct',
    'eim-apdf': 'relayed',
    'apdm-eif': 'direct',
    'apdm-apdf': 'relayed',
  },
}

/** How a dialer behind one kind and a listener behind another end up. */
export function outcomeOf(dialer: Kind, listener: Kind): Outcome {
  return outcomes[behaviour[dialer]][behaviour[listener]]
}
