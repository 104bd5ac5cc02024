/** Caps on what remote peers have open. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { RankedSlots } from '../../../../../peer/tunnel/listener/ranked-slots.ts'

const isTaken = (slots: RankedSlots, peers: string[]): boolean[] =>
  peers.map(peer => slots.take(peer, 'stranger') !== undefined)

test('one peer gets its share, and another still gets its own', () => {
  const slots = new RankedSlots({ perPeer: 2, total: 10 })
  assert.deepEqual(isTaken(slots, ['p', 'p', 'p', 'q']), [true, true, false, true])
})

test('all peers of a rank together get no more than the total, and other ranks still get theirs', () => {
  const slots = new RankedSlots({ perPeer: 2, total: 3 })
  assert.deepEqual(isTaken(slots, ['p', 'p', 'q', 'q', 'r']), [true, true, true, false, false])
  assert.ok(slots.take('r', 'known') !== undefined && slots.take('r', 'named') !== undefined)
})

test('a slot that was released can be taken again', () => {
  const slots = new RankedSlots({ perPeer: 1, total: 1 })
  for (let round = 0; round < 3; round++) {
    const slot = slots.take('p', 'named')
    assert.ok(slot !== undefined && slots.has('p'))
    assert.equal(slots.take('p', 'named'), undefined)
    slot.dispose()
    assert.ok(!slots.has('p'))
  }
})
