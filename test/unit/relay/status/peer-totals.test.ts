/** What is remembered of each peer, and of how many. */

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { TypedEventEmitter } from 'main-event'
import { PeersTotals } from '../../../../relay/status/peer-totals.ts'
import type { PeerId } from '@libp2p/interface'
import type { RelayEvents } from '../../../../relay/events.ts'

/** The totals count by what a peer id is as text. */
const peer = (name: string): PeerId => ({ toString: () => name }) as PeerId

function start(): { events: TypedEventEmitter<RelayEvents>; totals: PeersTotals } {
  const events = new TypedEventEmitter<RelayEvents>()
  return { events, totals: new PeersTotals(events) }
}

function closeCircuit(
  events: TypedEventEmitter<RelayEvents>,
  from: string,
  to: string,
  bytes: [number, number],
): void {
  const [bytesToResponder, bytesToInitiator] = bytes
  const ends = { initiator: peer(from), responder: peer(to) }
  const detail = { ...ends, reason: 'closed' as const, bytesToResponder, bytesToInitiator, durationMs: 1 }
  events.safeDispatchEvent('circuit:closed', { detail })
}

it('bytes count for both ends of a circuit, each from its side', () => {
  const { events, totals } = start()
  closeCircuit(events, 'a', 'b', [10, 3])
  closeCircuit(events, 'b', 'a', [1, 0])
  const [a, b] = totals.top(10).toSorted((one, other) => one.peerId.localeCompare(other.peerId))
  assert.deepEqual(a, { peerId: 'a', reservations: 0, circuits: 2, refusals: 0, bytesIn: 10, bytesOut: 4 })
  assert.deepEqual(b, { peerId: 'b', reservations: 0, circuits: 2, refusals: 0, bytesIn: 4, bytesOut: 10 })
})

it('a circuit of a peer to itself is one', () => {
  const { events, totals } = start()
  closeCircuit(events, 'a', 'a', [2, 1])
  assert.equal(totals.top(1)[0]?.circuits, 1)
})

it('those whose circuits carried most come first', () => {
  const { events, totals } = start()
  closeCircuit(events, 'a', 'b', [1, 0])
  closeCircuit(events, 'c', 'd', [5, 0])
  assert.deepEqual(
    totals
      .top(2)
      .map(({ peerId }) => peerId)
      .toSorted(),
    ['c', 'd'],
  )
})

it('refusals count for who asked', () => {
  const { events, totals } = start()
  const detail = { initiator: peer('a'), responder: peer('b'), reason: 'denied' as const }
  events.safeDispatchEvent('circuit:refused', { detail })
  assert.deepEqual(
    totals.top(10).map(({ peerId, refusals }) => [peerId, refusals]),
    [['a', 1]],
  )
})

it('of very many peers at least the last 10,000 are remembered, and at most twice as many', () => {
  const { events, totals } = start()
  for (let i = 0; i < 50_000; i += 2) closeCircuit(events, `${i}`, `${i + 1}`, [1, 1])
  const names = new Set(totals.top(Infinity).map(({ peerId }) => peerId))
  assert.ok(names.size >= 10_000 && names.size <= 20_000, `${names.size}`)
  assert.ok(!names.has('0'))
  for (let i = 40_000; i < 50_000; i++) assert.ok(names.has(`${i}`), `${i}`)
})

it('a peer that does something now and then is remembered, however many others come', () => {
  const { events, totals } = start()
  for (let i = 0; i < 50_000; i += 2) {
    closeCircuit(events, `${i}`, `${i + 1}`, [1, 1])
    if (i % 5_000 === 0) closeCircuit(events, 'regular', 'regular', [100, 100])
  }
  assert.equal(totals.top(1)[0]?.circuits, 10)
})
