/** Established connections: which are closed, and when. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import {
  CONNECTION_LIMITS,
  IDLE_CIRCUITS_PER_RELAY,
  LOOSE_STRANGERS,
  MAX_UPGRADE_MS,
  SETTLED_MS,
  STRANGER_IDLE_MS,
} from '../../../../peer/limits/connection-limits.ts'
import { ConnectionSlots } from '../../../../peer/limits/connection-slots.ts'
import { Ranks } from '../../../../peer/limits/rank.ts'
import { TUNNEL_PROTOCOL } from '../../../../peer/tunnel/wire/protocol.ts'
import type { Connection } from '@libp2p/interface'
import type { PeerRank } from '../../../../peer/limits/rank.ts'

const RELAY = '/ip4/192.0.2.1/tcp/1/p2p/12D3KooWL3XJ9EMCyZvmmGXL2LMiVBtrVa2BuESsJiXkSj7333Jw/p2p-circuit'
const OTHER_RELAY =
  '/ip4/192.0.2.2/tcp/1/p2p/12D3KooWPLKTSosrZbPg6ByrJ9CFkjKAq6UbyJmV5PVezn8whFrB/p2p-circuit'

/** A connection, whose peer's id is any text. */
class FakeConnection {
  status: 'open' | 'closed' = 'open'
  streams: Array<{ protocol: string }> = []
  readonly direction: 'inbound' | 'outbound'
  readonly remotePeer: string
  readonly remoteAddr

  constructor(remotePeer: string, addr: string, direction: 'inbound' | 'outbound' = 'inbound') {
    this.remotePeer = remotePeer
    this.remoteAddr = multiaddr(addr)
    this.direction = direction
  }

  async close(): Promise<void> {
    this.status = 'closed'
  }
}

/** Slots with a clock that is set by hand. `ranks` gives ranks by peer; null: the application ranks nobody. */
function createStage(ranks: Record<string, PeerRank> | null = {}): {
  open: (remotePeer: string, addr?: string, direction?: 'outbound') => FakeConnection
  pass: (ms: number) => void
  slots: ConnectionSlots
  upgrading: Set<string>
} {
  const events = new EventTarget()
  const upgrading = new Set<string>()
  let now = 0
  const slots = new ConnectionSlots(
    { events: events as never },
    {
      ranks: new Ranks({
        rankOf: ranks === null ? undefined : peerId => ranks[peerId] ?? 'stranger',
        isRelay: () => false,
        isChosen: peerId => peerId === 'chosen',
        isUpgradedFor: peerId => upgrading.has(String(peerId)),
      }),
      isUpgrading: peerId => upgrading.has(String(peerId)),
      now: () => now,
    },
  )
  slots.start()
  return {
    slots,
    upgrading,
    open: (remotePeer, addr = RELAY, direction) => {
      const connection = new FakeConnection(remotePeer, addr, direction)
      events.dispatchEvent(new CustomEvent('connection:open', { detail: connection }))
      return connection
    },
    pass: ms => {
      const end = now + ms
      while (now < end) {
        now = Math.min(end, now + 1_000)
        slots.look()
      }
    },
  }
}

const isOpen = ({ status }: FakeConnection): boolean => status === 'open'
const isThere = (them: readonly FakeConnection[]): boolean[] => them.map(isOpen)
const crowd = (count: number, open: (n: number) => FakeConnection): FakeConnection[] =>
  Array.from({ length: count }, (_, n) => open(n))

test('a stranger’s connection ends when it has carried nothing for 30 s, and no other does', () => {
  const { open, pass } = createStage({ named: 'named', holder: 'known' })
  const ending = [open('a'), open('b', '/ip4/198.51.100.1/tcp/1')]
  const staying = [open('named'), open('holder'), open('chosen'), open('c', RELAY, 'outbound'), open('user')]
  staying.at(-1)!.streams = [{ protocol: '/my-app/1' }]
  pass(STRANGER_IDLE_MS - 1_000)
  assert.deepEqual(isThere(ending), [true, true])
  pass(1_000)
  assert.deepEqual(isThere(ending), [false, false])
  pass(STRANGER_IDLE_MS)
  assert.ok(staying.every(isOpen))
})

test('a stream of libp2p that stays open, and one that asks for a service, are no use', () => {
  const { open, pass } = createStage()
  const connection = open('a')
  connection.streams = [{ protocol: '/ipfs/ping/1.0.0' }, { protocol: TUNNEL_PROTOCOL }]
  pass(STRANGER_IDLE_MS)
  assert.ok(!isOpen(connection))
})

test('use counts to its end, also between two looks', () => {
  const { open, pass, slots } = createStage()
  const [long, short] = [open('a'), open('b')]
  long.streams = [{ protocol: '/my-app/1' }]
  pass(60_000)
  long.streams = []
  slots.noteUse(short as unknown as Connection)
  pass(STRANGER_IDLE_MS - 1_000)
  assert.ok(isOpen(long))
  pass(1_000)
  assert.ok(!isOpen(long))
  assert.ok(!isOpen(short))
})

test('an upgrade protects the circuit of a stranger, for as long as an honest one takes', () => {
  const { open, pass, upgrading } = createStage()
  const [honest, endless] = [open('honest'), open('endless')]
  upgrading.add('honest').add('endless')
  pass(20_000)
  upgrading.delete('honest')
  pass(STRANGER_IDLE_MS - 2_000)
  assert.ok(isOpen(honest))
  pass(2_000)
  assert.ok(!isOpen(honest))
  pass(MAX_UPGRADE_MS + STRANGER_IDLE_MS - 50_000)
  assert.ok(!isOpen(endless))
})

test('a stranger that has this node dial it stays a stranger', () => {
  const { open, pass, upgrading } = createStage()
  upgrading.add('a')
  const dialled = open('a', '/ip4/198.51.100.1/tcp/1', 'outbound')
  upgrading.delete('a')
  pass(STRANGER_IDLE_MS)
  assert.ok(!isOpen(dialled))
})

test('an application that ranks nobody keeps idle connections until places run out', () => {
  const { open, pass } = createStage(null)
  const first = open('first')
  pass(3_600_000)
  assert.ok(isOpen(first))
  const others = crowd(LOOSE_STRANGERS.strangers, n => open(`p${n}`))
  assert.deepEqual([isOpen(first), others.every(isOpen)], [false, true])
})

test('strangers over one relay, from one network and of one id have a part of the places', () => {
  const { open } = createStage()
  const [over, from] = [open('calm', OTHER_RELAY), open('near', '/ip6/2001:db8:1::1/tcp/1')]
  const { perStranger, strangersPerRelay, strangersPerNetwork, strangers } = CONNECTION_LIMITS
  for (const [count, max, opened] of [
    [62, perStranger, (_n: number) => open('one')],
    [300, strangersPerRelay, (n: number) => open(`p${n}`)],
    [300, strangersPerNetwork, (n: number) => open(`q${n}`, `/ip4/198.51.100.${n % 256}/tcp/1`)],
    [
      300,
      strangersPerNetwork,
      (n: number) => open(`s${n}`, `/ip6/2001:db8:0:${(n % 256).toString(16)}::1/tcp/1`),
    ],
  ] as const)
    assert.equal(crowd(count, opened).filter(isOpen).length, max)
  assert.ok(isOpen(over) && isOpen(from))
  const spread = crowd(300, n => open(`t${n}`, `/ip4/203.${n >> 8}.${n & 255}.1/tcp/1`))
  assert.ok(spread.filter(isOpen).length <= strangers)
  assert.ok(isOpen(spread.at(-1)!))
})

test('strangers take no place of those that use something, or that are named', () => {
  const { open, pass } = createStage({ named: 'named' })
  const named = open('named')
  const users = crowd(60, n => open(`user ${n}`))
  for (const it of users) it.streams = [{ protocol: '/my-app/1' }]
  pass(1_000)
  crowd(500, n => open(`p${n}`, `/ip4/203.${n >> 8}.${n & 255}.1/tcp/1`))
  assert.ok(users.every(isOpen))
  assert.ok(isOpen(named))
})

test('idle strangers leave half of a relay’s usual quota of circuits to others', () => {
  const { open, pass } = createStage({ named: 'named' })
  const circuits = crowd(16, n => open(`p${n % 4}`))
  const others = [open('calm', OTHER_RELAY), open('named')]
  pass(SETTLED_MS - 1_000)
  assert.equal(circuits.filter(isOpen).length, 16)
  pass(1_000)
  assert.equal(circuits.filter(isOpen).length, IDLE_CIRCUITS_PER_RELAY)
  assert.ok(others.every(isOpen))
})

test('one named peer does not take all descriptors', () => {
  const { open } = createStage({ named: 'named', friend: 'named' })
  const friend = open('friend')
  const circuits = crowd(100, () => open('named'))
  assert.equal(circuits.filter(isOpen).length, CONNECTION_LIMITS.perNamedPeer)
  assert.ok(isOpen(friend))
})
