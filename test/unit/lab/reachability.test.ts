import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { natKinds } from '../../lab/net/nat-kind.ts'
import { canPunch } from '../../lab/reachability.ts'
import type { NatKindName } from '../../lab/net/nat-kind.ts'

/** Each pair once, and the same kind on both sides too. */
const pairs: Readonly<Record<'direct' | 'relayed', Partial<Record<NatKindName, NatKindName[]>>>> = {
  direct: {
    none: [
      'none',
      'eim-eif',
      'eim-adf',
      'eim-apdf-drop',
      'eim-apdf-rst',
      'eim-apdf-icmp',
      'apdm-eif',
      'apdm-adf',
      'apdm-apdf-drop',
      'apdm-apdf-rst',
    ],
    'eim-eif': [
      'eim-eif',
      'eim-adf',
      'eim-apdf-drop',
      'eim-apdf-rst',
      'eim-apdf-icmp',
      'apdm-eif',
      'apdm-adf',
      'apdm-apdf-drop',
      'apdm-apdf-rst',
    ],
    'eim-adf': [
      'eim-adf',
      'eim-apdf-drop',
      'eim-apdf-rst',
      'eim-apdf-icmp',
      'apdm-eif',
      'apdm-adf',
      'apdm-apdf-drop',
      'apdm-apdf-rst',
    ],
    'eim-apdf-drop': ['eim-apdf-drop', 'eim-apdf-rst', 'eim-apdf-icmp', 'apdm-eif'],
    'eim-apdf-rst': ['eim-apdf-rst', 'eim-apdf-icmp', 'apdm-eif'],
    'eim-apdf-icmp': ['eim-apdf-icmp', 'apdm-eif'],
    'apdm-eif': ['apdm-eif', 'apdm-adf', 'apdm-apdf-drop', 'apdm-apdf-rst'],
  },
  relayed: {
    'eim-apdf-drop': ['apdm-adf', 'apdm-apdf-drop', 'apdm-apdf-rst'],
    'eim-apdf-rst': ['apdm-adf', 'apdm-apdf-drop', 'apdm-apdf-rst'],
    'eim-apdf-icmp': ['apdm-adf', 'apdm-apdf-drop', 'apdm-apdf-rst'],
    'apdm-adf': ['apdm-adf', 'apdm-apdf-drop', 'apdm-apdf-rst'],
    'apdm-apdf-drop': ['apdm-apdf-drop', 'apdm-apdf-rst'],
    'apdm-apdf-rst': ['apdm-apdf-rst'],
  },
}

describe('a pair of NATs', () => {
  for (const [outcome, ofOutcome] of Object.entries(pairs))
    for (const [one, others] of Object.entries(ofOutcome))
      for (const other of others)
        it(`ends ${outcome} between ${one} and ${other}, in both directions`, () => {
          const [a, b] = [natKinds[one as NatKindName], natKinds[other]]
          assert.deepEqual([canPunch(a, b), canPunch(b, a)], Array(2).fill(outcome === 'direct'))
        })

  it('has IPv4 on both sides', () => {
    assert.throws(() => canPunch(natKinds.none, natKinds.firewall6), TypeError)
  })
})
