/** A limit for one step, whose signal is dead once the step is over. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { anySignalOf, withDeadline } from '../../../../src/time/deadline.ts'

/** Waits for nothing but the signal, and rejects with an error of its own, as libraries do. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('the operation was aborted')))
  })
}

test('a step that takes too long ends in a TimeoutError that says what', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const running = withDeadline(5000, 'Nothing came', undefined, untilAborted)
  t.mock.timers.tick(4999)
  t.mock.timers.tick(1)
  await assert.rejects(running, { name: 'TimeoutError', message: 'Nothing came' })
})

test('a signal ends the step with its own reason', async () => {
  const controller = new AbortController()
  const running = withDeadline(5000, 'Nothing came', controller.signal, untilAborted)
  controller.abort(new Error('stopped'))
  await assert.rejects(running, { message: 'stopped' })
  await assert.rejects(withDeadline(5000, 'x', controller.signal, untilAborted), { message: 'stopped' })
})

test('the signal of a step that is over never fires', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const controller = new AbortController()
  const signal = await withDeadline(5000, 'Nothing came', controller.signal, async signal => signal)
  controller.abort()
  t.mock.timers.tick(10_000)
  assert.equal(signal.aborted, false)
})

test('an error of the step itself passes through', async () => {
  const failing = withDeadline(5000, 'x', undefined, () => Promise.reject(new Error('broken')))
  await assert.rejects(failing, { message: 'broken' })
})

test('a combined signal fires with the first of those that are given, and never without any', () => {
  const [one, other] = [new AbortController(), new AbortController()]
  const combined = anySignalOf(one.signal, undefined, other.signal)
  assert.equal(combined.aborted, false)
  other.abort('other')
  assert.equal(combined.reason, 'other')
  assert.equal(anySignalOf(undefined, other.signal).reason, 'other')
  assert.equal(anySignalOf(undefined).aborted, false)
})
