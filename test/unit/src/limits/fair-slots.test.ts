/** Slots that are shared fairly. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { FairSlots } from '../../../../src/limits/fair-slots.ts'
import type { SlotItem } from '../../../../src/limits/fair-slots.ts'

/** Slots for 3 items of each holder, 4 of each group and 5 in all, and the names of those that lost theirs. */
function createSlots(settleMs?: number): {
  lost: string[]
  slots: FairSlots<SlotItem>
  take: (name: string, group?: string) => boolean
} {
  const lost: string[] = []
  const slots = new FairSlots<SlotItem>(settleMs)
  /** The first letter is the holder. */
  const take = (name: string, group = 'g'): boolean =>
    slots.take({ lose: () => lost.push(name), takenAt: performance.now() }, [
      { key: 'all', max: 5 },
      { key: group, max: 4 },
      { key: name[0] ?? '', max: 3 },
    ])
  return { lost, slots, take }
}

test('the holder of the most loses its oldest to a newcomer', () => {
  const { lost, slots, take } = createSlots()
  for (const name of ['b1', 'a1', 'a2', 'a3', 'c1']) assert.ok(take(name))
  assert.deepEqual(lost, ['a1'])
  assert.deepEqual([slots.count('all'), slots.count('all', 'g', 'a')], [4, 2])
})

test('the oldest of all loses to a newcomer if all hold the same', () => {
  const { lost, take } = createSlots()
  for (const name of ['a1', 'b1', 'c1', 'd1', 'e1', 'f1']) assert.ok(take(name))
  assert.deepEqual(lost, ['a1', 'b1'])
})

test('a holder at its own bound replaces its oldest', () => {
  const { lost, take } = createSlots()
  for (const name of ['a1', 'a2', 'a3', 'a4']) assert.ok(take(name))
  assert.deepEqual(lost, ['a1'])
})

test('the group with the most loses first, whatever its holders have', () => {
  const { lost, take } = createSlots()
  for (const name of ['x1', 'x2']) take(name, 'quiet')
  for (const name of ['a1', 'b1', 'c1']) take(name, 'crowded')
  assert.ok(take('y1', 'third'))
  assert.deepEqual(lost, ['a1'])
})

test('what has just come goes only to who has two fewer', () => {
  const { lost, take } = createSlots(60_000)
  const taken = ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2', 'b3'].map(name => take(name))
  assert.deepEqual(taken, [true, true, true, false, true, true, false, false])
  assert.deepEqual(lost, ['a1'])
})

test('a released slot is free under all of its keys, once', () => {
  const { slots, take } = createSlots()
  const item: SlotItem = { lose: () => assert.fail('it was released') }
  slots.take(item, [
    { key: 'all', max: 5 },
    { key: 'g', max: 4 },
    { key: 'x', max: 1 },
  ])
  assert.ok(slots.has(item))
  slots.release(item)
  slots.release(item)
  assert.ok(!slots.has(item))
  for (const name of ['a1', 'b1', 'c1', 'd1']) assert.ok(take(name))
  assert.equal(slots.count('all', 'g', 'x'), 0)
})
