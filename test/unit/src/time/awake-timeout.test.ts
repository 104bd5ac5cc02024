/** A timeout that counts only the time in which the process runs. */

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { awakeTimeout } from '../../../../src/time/awake-timeout.ts'

const LIMIT = { timeout: 10_000 }

it('fires after its time', LIMIT, async () => {
  const startedAt = performance.now()
  const signal = awakeTimeout(700)
  await pause(600)
  assert.equal(signal.aborted, false)
  await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
  assert.ok(performance.now() - startedAt >= 695)
  assert.equal((signal.reason as Error).name, 'TimeoutError')
})

it('leaves a process that was stopped the rest of its time', LIMIT, async () => {
  const signal = awakeTimeout(1_200)
  const stoppedUntil = performance.now() + 1_500
  // nothing else runs meanwhile, as in a process that is stopped
  while (performance.now() < stoppedUntil);
  await pause(0)
  assert.equal(signal.aborted, false)
})
