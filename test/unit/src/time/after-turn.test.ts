import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { afterTurn } from '../../../../src/time/after-turn.ts'

const nextIteration = promisify(setImmediate)

describe('afterTurn()', () => {
  it('calls after the promises of the turn, and before the event loop goes on', async () => {
    const order: string[] = []
    await nextIteration()
    setImmediate(() => order.push('next'))
    afterTurn(() => order.push('after'))
    await (async () => {
      for (let n = 0; n < 10; n++) await Promise.resolve()
      order.push('promises')
    })()
    await nextIteration()
    assert.deepEqual(order, ['promises', 'after', 'next'])
  })

  it('calls at the end of a callback of the event loop', async () => {
    const order: string[] = []
    await new Promise<void>(resolve => {
      setImmediate(() => {
        afterTurn(() => order.push('after'))
        order.push('first')
      })
      setImmediate(() => {
        order.push('second')
        resolve()
      })
    })
    assert.deepEqual(order, ['first', 'after', 'second'])
  })
})
