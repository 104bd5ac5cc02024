import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, it } from 'node:test'
import { inTime, once, turns, until, untilEvent } from '../waits.ts'

const LATE = { timeoutMs: 20 }

describe('a wait of a test', () => {
  it('resolves with the arguments of the event', async () => {
    const emitter = new EventEmitter()
    const said = once(emitter, 'said')
    emitter.emit('said', 1, 2)
    assert.deepEqual(await said, [1, 2])
    assert.deepEqual(emitter.eventNames(), [])
  })

  it('resolves when the condition holds after an event, or holds already', async () => {
    const emitter = new EventEmitter()
    let count = 0
    const third = untilEvent(emitter, 'said', () => count === 3)
    for (count = 1; count < 3; count++) {
      emitter.emit('said')
      await turns(1)
    }
    emitter.emit('said')
    await third
    await untilEvent(emitter, 'said', () => count === 3)
    await until(() => count === 3)
  })

  it('fails with what did not happen when its time is over', async () => {
    const emitter = new EventEmitter()
    const isTrue = (): boolean => false
    const never = new Promise<void>(() => {})
    const waits: Array<[Promise<unknown>, RegExp]> = [
      [once(emitter, 'said', LATE), /within 20 ms: the event said of EventEmitter/],
      [once(emitter, 'said', { signal: AbortSignal.timeout(20) }), /in time: the event said of EventEmitter/],
      [untilEvent(emitter, 'said', isTrue, 'all is said', 20), /within 20 ms: all is said/],
      [until(() => emitter.listenerCount('said') === 99, undefined, 20), /: \(\) => .* === 99/],
      [inTime(never, 'the end', 20), /within 20 ms: the end/],
    ]
    await Promise.all(waits.map(async ([wait, message]) => assert.rejects(wait, { message })))
    assert.deepEqual(emitter.eventNames(), [])
  })

  it('ends with its signal, and with an error of the emitter', async () => {
    const emitter = new EventEmitter()
    await assert.rejects(once(emitter, 'said', { signal: AbortSignal.abort() }), { name: 'AbortError' })
    const said = once(emitter, 'said')
    emitter.emit('error', new Error('broken'))
    await assert.rejects(said, { message: 'broken' })
  })

  it('does not go by a mocked clock', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    t.mock.method(performance, 'now', () => 0)
    await assert.rejects(
      until(() => false, 'never', 100),
      { message: /never/ },
    )
    const emitter = new EventEmitter()
    const said = once(emitter, 'said')
    t.mock.timers.tick(3_600_000)
    emitter.emit('said')
    await said
  })

  it('that fails before it is awaited is no second error', async () => {
    void once(new EventEmitter(), 'said', { timeoutMs: 1 })
    await until(() => false, 'never', 20).catch(() => {})
  })
})
