/** Which strategy is chosen in which situation, as a table. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { RemoteCandidates } from '../../../../../src/holepunch/candidates.ts'
import { choosePlan } from '../../../../../src/holepunch/strategies/choose-plan.ts'
import type { LocalAddresses } from '../../../../../src/holepunch/candidates.ts'
import type { Plan, Situation } from '../../../../../src/holepunch/strategies/strategy.ts'

const OURS = '/ip4/11.0.0.1/tcp/4001'
const THEIRS = '/ip4/22.0.0.1/tcp/4002'
const OUR_LAN = '/ip4/192.168.1.2/tcp/4001'
const THEIR_LAN = '/ip4/192.168.1.3/tcp/4002'
const SAME_NAT = '/ip4/11.0.0.1/tcp/4002'

interface Row extends Pick<Situation, 'source' | 'role'> {
  /** What relays observe of us. */
  observed: string[]
  offered: string[]
  expected: (Omit<Plan, 'candidates'> & { candidates: string[] }) | undefined
}

const punch = { from: 'punch-port' } as const

const table: Row[] = [
  {
    source: 'exchange',
    role: 'initiator',
    observed: [OURS],
    offered: [THEIRS],
    expected: { strategy: 'simultaneous-open', candidates: [THEIRS], role: 'initiator', ...punch },
  },
  {
    source: 'exchange',
    role: 'responder',
    observed: [OURS],
    offered: [THEIRS, THEIR_LAN],
    expected: { strategy: 'simultaneous-open', candidates: [THEIRS], role: 'responder', ...punch },
  },
  {
    source: 'exchange',
    role: 'responder',
    observed: [OURS],
    offered: [THEIRS, '/ip4/22.0.0.2/tcp/1'],
    expected: {
      strategy: 'simultaneous-open',
      candidates: [THEIRS, '/ip4/22.0.0.2/tcp/1'],
      role: 'responder',
      from: 'punch-port',
    },
  },
  {
    source: 'exchange',
    role: 'initiator',
    observed: [OURS],
    offered: [SAME_NAT, THEIR_LAN],
    expected: {
      strategy: 'same-network',
      candidates: [SAME_NAT, THEIR_LAN],
      role: 'initiator',
      from: 'punch-port',
      sharesNat: true,
    },
  },
  {
    source: 'exchange',
    role: 'responder',
    observed: [OURS],
    offered: [THEIR_LAN],
    expected: { strategy: 'remote-dials', candidates: [], role: 'responder', from: 'punch-port' },
  },
  {
    source: 'exchange',
    role: 'responder',
    observed: [OURS],
    offered: [],
    expected: { strategy: 'remote-dials', candidates: [], role: 'responder', from: 'punch-port' },
  },
  // the initiator cannot tell which inbound socket is the responder's
  { source: 'exchange', role: 'initiator', observed: [OURS], offered: [THEIR_LAN], expected: undefined },
  { source: 'exchange', role: 'responder', observed: [], offered: [THEIR_LAN], expected: undefined },
  {
    source: 'identify',
    role: 'responder',
    observed: [OURS],
    offered: [THEIR_LAN, THEIRS],
    expected: { strategy: 'reversal', candidates: [THEIRS], role: 'initiator', from: 'ephemeral-port' },
  },
  {
    source: 'identify',
    role: 'responder',
    observed: ['/ip4/192.168.1.2/tcp/9'],
    offered: [THEIR_LAN, THEIRS],
    expected: {
      strategy: 'reversal',
      candidates: [THEIR_LAN, THEIRS],
      role: 'initiator',
      from: 'ephemeral-port',
    },
  },
  { source: 'identify', role: 'responder', observed: [OURS], offered: [THEIR_LAN], expected: undefined },
]

for (const { expected, observed, offered, source, role } of table) {
  const heading = `${role}, ${source}: seen at [${observed.join()}], offered [${offered.join()}]`
  test(`${heading} -> ${expected?.strategy ?? 'nothing'}`, () => {
    const local: LocalAddresses = {
      observed: observed.map(it => multiaddr(it)),
      listening: [multiaddr(OUR_LAN)],
      announced: [],
      reachable: [],
    }
    const remote = RemoteCandidates.from(
      offered.map(it => multiaddr(it)),
      local,
    )
    const plan = choosePlan({ source, role, local, remote })
    const printed = plan === undefined ? undefined : { ...plan, candidates: plan.candidates.map(String) }
    assert.deepEqual(printed, expected)
  })
}
