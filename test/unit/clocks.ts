/** Both clocks of a process and its timers, which stand still until a test moves them. */

import { mock } from 'node:test'
import type { TestContext } from 'node:test'

/** The clocks of a test. */
export interface StoppedClocks {
  /** Time passes: both clocks move on, and timers fire. */
  pass(ms: number): void
  /** Somebody sets the wall clock. No time passes, and the monotonic clock does not notice. */
  setWall(ms: number): void
}

/** Replaces `Date.now`, `performance.now` and the global timers during a test. */
export function stoppedClocks(t: TestContext, wallMs: number): StoppedClocks {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: wallMs })
  t.after(() => mock.timers.reset())
  // the clock of the mocked timers only moves on
  const timersNow = Date.now
  let aheadMs = 0
  t.mock.method(Date, 'now', () => timersNow() + aheadMs)
  t.mock.method(performance, 'now', () => timersNow() - wallMs)
  return {
    pass: ms => mock.timers.tick(ms),
    setWall: ms => {
      aheadMs = ms - timersNow()
    },
  }
}
