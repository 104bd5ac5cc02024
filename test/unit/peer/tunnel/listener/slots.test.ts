/** Caps on what remote peers hold open. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { Slots } from '../../../../../peer/tunnel/listener/slots.ts'

const isTaken = (slots: Slots, peers: string[]): boolean[] =>
  peers.map(peer => slots.take(peer) !== undefined)

test('one peer gets its share, and another still gets its own', () => {
  const slots = new Slots({ perPeer: 2, total: 10 })
  assert.deepEqual(isTaken(slots, ['p', 'p', 'p', 'q']), [true, true, false, true])
})

test('all peers together get no more than the total', () => {
  const slots = new Slots({ perPeer: 2, total: 3 })
  assert.deepEqual(isTaken(slots, ['p', 'p', 'q', 'q', 'r']), [true, true, true, false, false])
})

test('a slot that was given back can be taken again', () => {
  const slots = new Slots({ perPeer: 1, total: 1 })
  for (let round = 0; round < 3; round++) {
    const giveBack = slots.take('p')
    assert.ok(giveBack !== undefined && slots.holds('p'))
    assert.equal(slots.take('p'), undefined)
    giveBack()
    assert.ok(!slots.holds('p'))
  }
})

test('a slot is given back once, however often that is said', () => {
  const slots = new Slots({ perPeer: 2, total: 2 })
  const [giveBack] = [slots.take('p'), slots.take('p')]
  giveBack?.()
  giveBack?.()
  assert.deepEqual(isTaken(slots, ['p', 'p']), [true, false])
})
