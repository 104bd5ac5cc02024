/** When a machine is taken to have slept: by a clock that counts sleep, and not by one that can be set. */

import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { NetworkWatch } from '../../../../src/node/network-watch.ts'
import { HandClock } from '../../hand-clock.ts'
import type { TestContext } from 'node:test'

const DAY = 86_400_000

function start(t: TestContext): {
  clock: HandClock
  look: (afterMs: number) => Promise<void>
  told: string[]
} {
  mock.timers.enable({ apis: ['setInterval'] })
  const clock = new HandClock(Date.UTC(2026, 5, 1))
  const watch = new NetworkWatch(clock)
  const told: string[] = []
  watch.addEventListener('network:changed', ({ detail }) => told.push(detail.change))
  watch.start()
  t.after(() => {
    watch.stop()
    mock.timers.reset()
  })
  const look = async (afterMs: number): Promise<void> => {
    await clock.pass(afterMs)
    mock.timers.tick(1_000)
  }
  return { clock, look, told }
}

test('a machine that was away for more than five seconds has slept', async t => {
  const { look, told } = start(t)
  await look(1_000)
  await look(5_000)
  assert.deepEqual(told, [])
  await look(5_001)
  await look(DAY)
  await look(1_000)
  assert.deepEqual(told, ['slept', 'slept'])
})

test('a machine whose wall clock is set has not slept', async t => {
  const { clock, look, told } = start(t)
  for (const byMs of [10_000, 2 * DAY, -2 * DAY, -Date.UTC(2026, 5, 1)]) {
    clock.setWallBy(byMs)
    await look(1_000)
  }
  assert.deepEqual(told, [])
})

test('a machine that slept while its wall clock went back has slept', async t => {
  const { clock, look, told } = start(t)
  clock.setWallBy(-DAY)
  await look(3_600_000)
  assert.deepEqual(told, ['slept'])
})
