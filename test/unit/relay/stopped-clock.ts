/** A monotonic clock that stands still until it is told otherwise. */

import type { TestContext } from 'node:test'

/** Replaces `performance.now` during a test. */
export function stoppedClock(t: TestContext): { advance(ms: number): void } {
  let now = 1000
  t.mock.method(performance, 'now', () => now)
  return {
    advance: ms => {
      now += ms
    },
  }
}
