/** Slots under several keys. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Quota } from '../../../../src/limits/quota.ts'

const a = { key: 'a', max: 2 }
const b = { key: 'b', max: 2 }
const all = { key: 'all', max: 3 }

test('a key has as many slots as its bound, and another key has its own', () => {
  const quota = new Quota()
  assert.ok(quota.take([a]) !== undefined && quota.take([a]) !== undefined)
  assert.equal(quota.take([a]), undefined)
  assert.ok(quota.take([b]) !== undefined)
})

test('a slot is taken under none of its keys if one is full, which is named', () => {
  const quota = new Quota()
  for (const key of [a, a, b]) assert.ok(quota.take([key, all]) !== undefined)
  assert.equal(quota.take([b, all]), undefined)
  assert.equal(quota.count('b'), 1)
  assert.equal(quota.firstFull([b, all]), all)
  assert.equal(quota.firstFull([b]), undefined)
})

test('a slot is released under all of its keys, once however often that is asked', () => {
  const quota = new Quota()
  const [first] = [quota.take([a, all]), quota.take([a, all])]
  first?.()
  first?.()
  assert.deepEqual([quota.count('a'), quota.count('all')], [1, 1])
})

test('a bound may be infinite, or none', () => {
  const quota = new Quota()
  for (let n = 0; n < 100; n++) assert.ok(quota.take([{ key: 'a', max: Infinity }]) !== undefined)
  assert.equal(quota.take([{ key: 'b', max: 0 }]), undefined)
})
