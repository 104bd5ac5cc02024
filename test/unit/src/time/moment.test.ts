/** Moments, while the wall clock is right, drifts, and is set. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Moment } from '../../../../src/time/moment.ts'
import { HandClock } from '../../hand-clock.ts'

const START_MS = Date.UTC(2026, 5, 1)

test('a moment is the same time as long as the wall clock is not set', async () => {
  const clock = new HandClock(START_MS)
  const moment = new Moment(clock)
  for (const driftMs of [0, 500, -900]) {
    await clock.pass(60_000)
    clock.setWallBy(driftMs)
    assert.equal(moment.wall, START_MS)
  }
  assert.equal(moment.ageMs, 180_000)
})

test('a moment is what the clock would have shown, once the clock is set', async () => {
  const clock = new HandClock(0)
  const moment = new Moment(clock)
  await clock.pass(60_000)
  clock.setWallBy(START_MS)
  await clock.pass(60_000)
  assert.deepEqual([moment.wall, moment.ageMs], [START_MS, 120_000])
})
