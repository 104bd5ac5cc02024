/** The machine's clock, and one that counts sleep. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countSleep, isPlausibleTime, systemClock } from '../../../../src/time/clock.ts'

/** A clock that counts sleep, and what it is made of: how long the machine was awake, and how long it was up. */
function machine(): { now: () => number; awake: (ms: number) => void; set: (uptimeMs: number) => void } {
  let [awakeMs, upMs] = [1_000, 500_000]
  return {
    now: countSleep(
      () => awakeMs,
      () => Math.floor(upMs / 10) * 10,
    ),
    awake: ms => {
      awakeMs += ms
      upMs += ms
    },
    set: ms => {
      upMs = ms
    },
  }
}

test('time in which the machine sleeps counts', () => {
  const { now, awake, set } = machine()
  awake(5_000)
  assert.equal(now(), 6_000)
  set(505_000 + 3_600_000)
  assert.equal(now(), 3_606_000)
  awake(1_234)
  assert.equal(now(), 3_607_234)
})

test('short sleeps add up', () => {
  const { now, awake, set } = machine()
  const start = now()
  let upMs = 500_000
  for (let n = 1; n <= 100; n++) {
    awake(100)
    upMs += 400
    set(upMs)
    now()
  }
  assert.ok(Math.abs(now() - start - 40_000) <= 1_010, `${now() - start} ms`)
})

test('an uptime that goes back, or comes from elsewhere for a moment, does not turn the clock back', () => {
  const { now, awake, set } = machine()
  let last = now()
  for (const upMs of [0, 90_000_000, 500_000, 10]) {
    set(upMs)
    awake(100)
    assert.ok(now() >= last + 100)
    last = now()
    awake(50)
    assert.equal(now(), last + 50)
    last = now()
  }
})

test('the clock of this machine does not mind that somebody sets the time', t => {
  const before = systemClock.now()
  t.mock.method(Date, 'now', () => 0)
  const passedMs = systemClock.now() - before
  assert.ok(passedMs >= 0 && passedMs < 5_000, `${passedMs} ms`)
  assert.equal(systemClock.wall(), 0)
})

test('a time before Node.js 24 came out is not plausible', () => {
  assert.deepEqual([0, Date.UTC(2024, 11, 31), Date.UTC(2026, 6, 1)].map(isPlausibleTime), [
    false,
    false,
    true,
  ])
})
