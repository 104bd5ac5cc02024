/** Caps on what remote peers hold open. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { Slots } from '../../../peer/tunnel/slots.ts'

test('one peer gets its share, and another still gets its own', () => {
  const slots = new Slots({ perPeer: 2, total: 10 })
  assert.deepEqual(
    [slots.enter('p'), slots.enter('p'), slots.enter('p'), slots.enter('q')],
    [true, true, false, true],
  )
})

test('all peers together get no more than the total', () => {
  const slots = new Slots({ perPeer: 2, total: 3 })
  assert.deepEqual(
    ['p', 'p', 'q', 'q', 'r'].map(peer => slots.enter(peer)),
    [true, true, true, false, false],
  )
})

test('a slot that was given back can be taken again', () => {
  const slots = new Slots({ perPeer: 1, total: 1 })
  for (let round = 0; round < 3; round++) {
    assert.equal(slots.enter('p'), true)
    assert.equal(slots.enter('p'), false)
    slots.leave('p')
  }
  assert.equal(slots.total, 0)
})
