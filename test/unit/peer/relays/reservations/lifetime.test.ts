/** How long a reservation lasts, and when it is refreshed, with clocks that are right and wrong. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Lifetime } from '../../../../../peer/relays/reservations/lifetime.ts'
import { HandClock } from '../../../hand-clock.ts'

const START_MS = Date.UTC(2026, 5, 1)
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** By how much the peer's clock is ahead of the relay's. The last shows 1970. */
const OFF_MS = [0, SECOND, 6 * MINUTE, HOUR, 2 * DAY, 3650 * DAY].flatMap(ms => [ms, -ms])
OFF_MS.push(-START_MS)

/** A reservation that a relay grants for `ttlMs` to a peer whose clock is `offMs` ahead. */
function grant(clock: HandClock, offMs: number, ttlMs: number, isExact: boolean): Lifetime {
  const expireSeconds = Math.floor((clock.wall() - offMs + ttlMs) / 1000)
  return new Lifetime(expireSeconds * 1000, isExact ? ttlMs : undefined, clock)
}

describe('a reservation whose relay gives the life itself', () => {
  for (const [ttlMs, refreshMs] of [
    [4 * SECOND, 2 * SECOND],
    [MINUTE, 30 * SECOND],
    [10 * MINUTE, 5 * MINUTE],
    [29 * MINUTE, 24 * MINUTE],
    [HOUR, 25 * MINUTE],
    [30 * DAY, 25 * MINUTE],
  ] as const)
    it(`of ${ttlMs / SECOND} s is refreshed after ${refreshMs / SECOND} s, whatever the clocks show`, () => {
      for (const offMs of OFF_MS)
        assert.equal(
          grant(new HandClock(START_MS + offMs), offMs, ttlMs, true).refreshInMs,
          refreshMs,
          `${offMs} ms`,
        )
    })

  it("ends at a time of this machine's clock, and says how far the other clock is ahead", async () => {
    for (const offMs of OFF_MS) {
      const clock = new HandClock(START_MS + offMs)
      const lifetime = grant(clock, offMs, HOUR, true)
      assert.equal(lifetime.expiresAt.getTime(), clock.wall() + HOUR)
      assert.ok(
        Math.abs((lifetime.clockAheadMs ?? Infinity) + offMs) <= SECOND,
        `${lifetime.clockAheadMs} ms`,
      )
    }
  })

  it('is due after the same time when the clock is set, and ends at a time of the new one', async () => {
    for (const setByMs of OFF_MS) {
      const clock = new HandClock(START_MS)
      const lifetime = grant(clock, 0, HOUR, true)
      await clock.pass(10 * MINUTE)
      clock.setWallBy(setByMs)
      assert.equal(lifetime.refreshInMs, 15 * MINUTE)
      assert.equal(lifetime.expiresAt.getTime(), clock.wall() + 50 * MINUTE)
      await clock.pass(15 * MINUTE)
      assert.equal(lifetime.refreshInMs, 0)
    }
  })

  it('is refreshed each second at most, whatever the relay says', () => {
    for (const remainingMs of [0, 1, 999])
      assert.equal(new Lifetime(START_MS, remainingMs, new HandClock(START_MS)).refreshInMs, SECOND)
  })
})

describe('a reservation of another relay', () => {
  for (const [ttlMs, refreshMs] of [
    [20 * SECOND, 30 * SECOND],
    [MINUTE, 30 * SECOND],
    [10 * MINUTE, 5 * MINUTE],
    [HOUR, 25 * MINUTE],
    [2 * HOUR, 25 * MINUTE],
  ] as const)
    it(`of ${ttlMs / SECOND} s is refreshed after ${refreshMs / SECOND} s where the clocks are right`, () => {
      const { refreshInMs, clockAheadMs } = grant(new HandClock(START_MS), 0, ttlMs, false)
      assert.ok(refreshInMs <= refreshMs && refreshInMs > refreshMs - 2 * SECOND, `${refreshInMs} ms`)
      assert.equal(clockAheadMs, undefined)
    })

  it('is refreshed between 30 s and 25 min after it was granted, whatever the clocks show', () => {
    for (const offMs of OFF_MS)
      for (const ttlMs of [MINUTE, HOUR, DAY]) {
        const { refreshInMs } = grant(new HandClock(START_MS + offMs), offMs, ttlMs, false)
        assert.ok(refreshInMs >= 30 * SECOND && refreshInMs <= 25 * MINUTE, `${offMs} ms: ${refreshInMs} ms`)
      }
  })

  it('ends on a date, whatever the relay says', () => {
    for (const expireMs of [0, Number.MAX_SAFE_INTEGER * 1000, 2 ** 64 * 1000])
      for (const remainingMs of [undefined, 0, Number.MAX_SAFE_INTEGER, 2 ** 64]) {
        const { expiresAt, refreshInMs } = new Lifetime(expireMs, remainingMs, new HandClock(START_MS))
        assert.doesNotThrow(() => expiresAt.toISOString())
        assert.ok(refreshInMs >= SECOND && refreshInMs <= 25 * MINUTE, `${refreshInMs} ms`)
      }
  })
})
