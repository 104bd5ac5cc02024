/** Slots that are shared fairly. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { FairSlots } from '../../../../src/limits/fair-slots.ts'
import type { SlotItem } from '../../../../src/limits/fair-slots.ts'

interface Named extends SlotItem {
  readonly name: string
}

/** Slots for 3 items of each holder and 4 in all, and the names of those that lost theirs. */
function createSlots(own: 'replace' | 'refuse' = 'replace'): {
  lost: string[]
  slots: FairSlots<Named>
  take: (name: string, more?: Partial<Named>) => boolean
} {
  const lost: string[] = []
  const slots = new FairSlots<Named>({ own })
  /** The first letter is the holder. */
  const take = (name: string, more: Partial<Named> = {}): boolean =>
    slots.take({ name, lose: () => lost.push(name), ...more }, [
      { key: name[0] ?? '', max: 3 },
      { key: 'all', max: 4 },
    ])
  return { lost, slots, take }
}

test('the holder of the most loses its oldest to a newcomer', () => {
  const { lost, slots, take } = createSlots()
  for (const name of ['b1', 'a1', 'a2', 'a3', 'c1']) assert.ok(take(name))
  assert.deepEqual(lost, ['a1'])
  assert.equal(slots.count('all'), 4)
  assert.equal(slots.count('a'), 2)
})

test('the oldest of all loses to a newcomer if all hold the same', () => {
  const { lost, take } = createSlots()
  for (const name of ['a1', 'b1', 'c1', 'd1', 'e1', 'f1']) assert.ok(take(name))
  assert.deepEqual(lost, ['a1', 'b1'])
})

test('a holder at its own bound replaces its oldest, or gets nothing', () => {
  const replacing = createSlots()
  for (const name of ['a1', 'a2', 'a3', 'a4']) assert.ok(replacing.take(name))
  assert.deepEqual(replacing.lost, ['a1'])
  const refusing = createSlots('refuse')
  assert.deepEqual(
    ['a1', 'a2', 'a3', 'a4'].map(name => refusing.take(name)),
    [true, true, true, false],
  )
  assert.deepEqual(refusing.lost, [])
})

test('who holds as many as anyone takes from nobody', () => {
  const { lost, take } = createSlots('refuse')
  assert.deepEqual(
    ['a1', 'a2', 'b1', 'b2', 'b3', 'c1', 'c2'].map(name => take(name)),
    [true, true, true, true, false, true, false],
  )
  assert.deepEqual(lost, ['a1'])
})

test('an item that cannot lose its slot keeps it', () => {
  const { lost, take } = createSlots()
  for (const name of ['a1', 'a2', 'a3', 'b1']) assert.ok(take(name, { lose: undefined }))
  assert.ok(!take('c1') && !take('a4'))
  assert.deepEqual(lost, [])
})

test('the group with the most loses first, whatever its holders have', () => {
  const lost: string[] = []
  const slots = new FairSlots<Named>({ own: 'replace' })
  const take = (name: string, group: string): boolean =>
    slots.take({ name, lose: () => lost.push(name) }, [
      { key: name, max: 3 },
      { key: group, max: 5 },
      { key: 'all', max: 6 },
    ])
  for (const name of ['calm', 'calm']) take(name, 'quiet')
  for (const name of ['m1', 'm2', 'm3', 'm4']) take(name, 'crowded')
  for (const [name, group] of [
    ['m5', 'crowded'],
    ['other', 'third'],
    ['calm', 'quiet'],
  ] as const)
    assert.ok(take(name, group))
  assert.deepEqual(lost, ['m1', 'm2', 'calm'])
})

test('a released slot is free under all of its keys, once', () => {
  const { slots, take } = createSlots()
  const item: Named = { name: 'x', lose: () => assert.fail('it was released') }
  slots.take(item, [
    { key: 'x', max: 1 },
    { key: 'all', max: 4 },
  ])
  assert.ok(slots.has(item))
  slots.release(item)
  slots.release(item)
  assert.ok(!slots.has(item))
  for (const name of ['a1', 'b1', 'c1', 'd1']) assert.ok(take(name))
  assert.equal(slots.count('x'), 0)
})
