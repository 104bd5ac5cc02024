/**
 * Which pairs of NATs can be punched through, by their behaviour as RFC 4787 and RFC 5382 name it.
 *
 * It makes no difference how a NAT answers a SYN that comes too early, and none who dials the circuit.
 */

import type { NatKind, Translation } from './net/nat-kind.ts'

/** A router that translates nothing maps each endpoint to itself, and lets everything in. */
const OPEN = { mapping: 'eim', filtering: 'eif' } as const

type Behaviour = Pick<Translation, 'mapping' | 'filtering'>

/** Whether two peers behind these get a direct IPv4 connection: the SYN of one of them at least gets in at the other. */
export function canPunch(one: NatKind, other: NatKind): boolean {
  const [a, b] = [behaviourOf(one), behaviourOf(other)]
  return getsIn(a, b) || getsIn(b, a)
}

/**
 * Whether the SYN of a peer behind `a` gets in at `b`, at the endpoint that the relay has seen. That endpoint is the one from
 * which `b` sends to `a`, and so opens the filter, only if its mapping is endpoint-independent. It sends to the endpoint
 * that the relay has seen of `a`; the SYN comes from there if the mapping of `a` is endpoint-independent too, and otherwise
 * from another port of that address.
 */
function getsIn(a: Behaviour, b: Behaviour): boolean {
  if (b.filtering === 'eif') return true
  return b.mapping === 'eim' && (b.filtering === 'adf' || a.mapping === 'eim')
}

function behaviourOf({ ipv4 }: NatKind): Behaviour {
  if (ipv4 === 'absent') throw new TypeError('a network without IPv4 has no NAT')
  return ipv4 === 'open' ? OPEN : ipv4
}
