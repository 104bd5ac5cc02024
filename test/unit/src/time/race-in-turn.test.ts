/** Ways that are tried in turn, the first that works wins. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { raceInTurn } from '../../../../src/time/race-in-turn.ts'

const LIMIT = { timeout: 10_000 }
const never = async (): Promise<never> => new Promise(() => {})

describe('ways that are raced in turn', () => {
  it('begin one after the other: the second when the first has failed, or after a while', LIMIT, async () => {
    const begun: string[] = []
    const startedAt = performance.now()
    const won = await raceInTurn(['fails', 'hangs', 'works', 'late'], async way => {
      begun.push(way)
      if (way === 'fails') throw new Error(way)
      return way === 'hangs' ? never() : way
    })
    const elapsedMs = performance.now() - startedAt
    assert.equal(won, 'works')
    assert.deepEqual(begun, ['fails', 'hangs', 'works'])
    assert.ok(elapsedMs >= 245, `${elapsedMs} ms`)
  })

  it('abort those that lost, and never the winner', LIMIT, async () => {
    const signals: AbortSignal[] = []
    await raceInTurn(['hangs', 'works'], async (way, lost) => {
      signals.push(lost)
      return way === 'hangs' ? never() : way
    })
    assert.deepEqual(
      signals.map(it => it.aborted),
      [true, false],
    )
  })

  it('hand over the result of a way that succeeds after another has won', LIMIT, async () => {
    const late = Promise.withResolvers<string>()
    const slow = Promise.withResolvers<string>()
    const attempt = async (way: string): Promise<string> => (way === 'slow' ? slow.promise : way)
    assert.equal(await raceInTurn(['slow', 'quick'], attempt, { onLate: late.resolve }), 'quick')
    slow.resolve('slow')
    assert.equal(await late.promise, 'slow')
  })

  it('fail with all failures, in order', LIMIT, async () => {
    const attempt = async (way: string): Promise<never> => {
      throw new Error(way)
    }
    await assert.rejects(raceInTurn(['one', 'two'], attempt), (error: AggregateError) => {
      assert.deepEqual(
        error.errors.map(it => (it as Error).message),
        ['one', 'two'],
      )
      return true
    })
  })

  it('fail without any failure where there is no way', LIMIT, async () => {
    await assert.rejects(raceInTurn([], never), { name: 'AggregateError', errors: [] })
  })

  it('end with the reason of the signal, before and during', LIMIT, async () => {
    const signal = AbortSignal.abort(new Error('before'))
    await assert.rejects(
      raceInTurn(['one'], async () => assert.fail(), { signal }),
      { message: 'before' },
    )
    const stop = new AbortController()
    const race = raceInTurn(['one'], never, { signal: stop.signal })
    stop.abort(new Error('during'))
    await assert.rejects(race, { message: 'during' })
  })
})
