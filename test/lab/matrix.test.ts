/**
 * The NAT matrix: every pair of kinds, in both directions, in kernel NATs with delay between them.
 *
 * `THROUGHNAT_LAB_RUNS=20 THROUGHNAT_LAB_DELAY=100 THROUGHNAT_LAB_JITTER=10` runs each cell 20 times with 100 ms one way.
 * A cell is run anew with fresh peers each time: nothing is tried again because it failed.
 */

import { appendFile, mkdir } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { kinds, outcomeOf } from './matrix.ts'
import { createStage } from './stage.ts'
import { runTrial } from './trial.ts'
import type { Kind } from './matrix.ts'
import type { Remote } from './remote.ts'
import type { Stage } from './stage.ts'

const { THROUGHNAT_LAB_RUNS = '1', THROUGHNAT_LAB_DELAY = '20', THROUGHNAT_LAB_JITTER = '0' } = process.env
const runs = Number(THROUGHNAT_LAB_RUNS)
const delayMs = Number(THROUGHNAT_LAB_DELAY)
const jitterMs = Number(THROUGHNAT_LAB_JITTER)

/** One line of JSON a trial; scripts/nat-matrix.ts makes docs/nat-matrix.md of it. */
const RESULTS = 'test-results/matrix.ndjson'

await mkdir('test-results', { recursive: true })

// several networks at a time, since most of a trial is waiting; within one the cells take turns, since the relay's bytes
// are counted
describe(`${delayMs} ms one way, ${jitterMs} ms jitter`, { concurrency: 3 }, () => {
  for (const listener of kinds)
    describe(`a listener behind ${listener}`, { concurrency: 1 }, () => testListener(listener))
})

function testListener(listenerKind: Kind): void {
  let stage: Stage
  let listener: Remote

  before(async () => {
    stage = await createStage({ delayMs, jitterMs })
    listener = await stage.place('listener', listenerKind)
  })
  after(async () => stage?.[Symbol.asyncDispose]())

  for (const dialerKind of kinds) {
    const expected = outcomeOf(dialerKind, listenerKind)
    it(`ends ${expected} with a dialer behind ${dialerKind}`, async () => {
      const dialer = await stage.place(`d-${dialerKind}`, dialerKind)
      await stage.net.capture()
      const cast = stage.cast(dialer, listener)
      // that no NAT lets it through does not become truer by repetition, and takes three windows each time
      for (let run = 1; run <= (expected === 'direct' ? runs : 1); run++) {
        const title = `${dialerKind} to ${listenerKind} at ${delayMs} ms, run ${run}`
        const result = await stage.evident(title, async () => runTrial(cast, expected))
        const line = {
          dialer: dialerKind,
          listener: listenerKind,
          delayMs,
          jitterMs,
          run,
          expected,
          ...result,
        }
        await appendFile(RESULTS, `${JSON.stringify(line)}\n`)
      }
      dialer.stop()
    })
  }
}
