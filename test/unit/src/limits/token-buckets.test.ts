import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TokenBuckets } from '../../../../src/limits/token-buckets.ts'

function start(init: { capacity?: number; perSecond?: number; maxKeys?: number } = {}): {
  buckets: TokenBuckets
  pass: (ms: number) => void
} {
  let at = 0
  const buckets = new TokenBuckets({ capacity: 3, perSecond: 2, maxKeys: 10, ...init, now: () => at })
  return {
    buckets,
    pass: ms => {
      at += ms
    },
  }
}

test('as many tokens as the capacity can be taken at once, and then one after the other', () => {
  const { buckets, pass } = start()
  for (let n = 0; n < 3; n++) {
    assert.equal(buckets.waitMs('a'), 0)
    buckets.take('a')
  }
  assert.equal(buckets.waitMs('a'), 500)
  pass(499)
  assert.ok(buckets.waitMs('a') > 0)
  pass(1)
  assert.equal(buckets.waitMs('a'), 0)
})

test('the tokens of one key are not those of another', () => {
  const { buckets } = start()
  buckets.take('a', 3)
  assert.equal(buckets.waitMs('b'), 0)
})

test('what was taken and was not there has to come back first', () => {
  const { buckets, pass } = start()
  buckets.take('a', 13)
  assert.equal(buckets.waitMs('a'), 5_500)
  pass(5_500)
  assert.equal(buckets.waitMs('a'), 0)
})

test('what is given back can be taken again, and is never more than the capacity', () => {
  const { buckets } = start()
  buckets.take('a', 3)
  buckets.refund('a', 100)
  buckets.take('a', 3)
  assert.equal(buckets.waitMs('a'), 500)
})

test('a bucket does not fill beyond its capacity', () => {
  const { buckets, pass } = start()
  buckets.take('a')
  pass(1e9)
  buckets.take('a', 3)
  assert.equal(buckets.waitMs('a'), 500)
})

test('the buckets that were used last are remembered, and the others are forgotten and so full', () => {
  const { buckets } = start({ maxKeys: 10 })
  for (let n = 0; n < 100; n++) {
    buckets.take(`remote ${n}`, 3)
    buckets.take('busy')
  }
  assert.ok(buckets.waitMs('busy') > 0)
  for (let n = 91; n < 100; n++) assert.ok(buckets.waitMs(`remote ${n}`) > 0, `${n}`)
  for (let n = 0; n < 80; n++) assert.equal(buckets.waitMs(`remote ${n}`), 0, `${n}`)
})
