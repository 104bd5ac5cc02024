/** The warning about a clock that is certainly wrong. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { warnAboutClock } from '../../../../../src/cli/runtime/wrong-clock.ts'

function notesAt(wallMs: number): string[] {
  const notes: string[] = []
  warnAboutClock({ note: text => notes.push(text) }, 'Something fails.', wallMs)
  return notes
}

test('a clock in 1970 is warned about, with what follows from it', () => {
  assert.deepEqual(notesAt(61_000), [
    "This machine's clock is wrong: it shows 1970-01-01T00:01:01.000Z. Something fails. Set the clock.",
  ])
})

test('a clock that may be right is not', () => {
  for (const wallMs of [Date.now(), Date.UTC(2026, 5, 1), Date.UTC(2060, 0, 1)])
    assert.deepEqual(notesAt(wallMs), [])
})
