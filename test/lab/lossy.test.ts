/**
 * The NAT matrix on lines as bad as those of a train: 100 ms one way, and of each hundred packets five are lost. Every pair of
 * behaviours ends as on good lines. A lost SYN is sent again after a second, well within the window of a punch.
 */

import { describe, it } from 'node:test'
import { outcomeOf } from './matrix.ts'
import { createStage } from './stage.ts'
import { runTrial } from './trial.ts'
import type { Kind } from './matrix.ts'

const LINE = { delayMs: 100, lossPercent: 5 }

const { THROUGHNAT_LAB_RUNS = '1' } = process.env
const runs = Number(THROUGHNAT_LAB_RUNS)

/** One kind of each behaviour: how early SYNs are answered is the same on any line. */
const kinds = [
  'none',
  'eim-adf',
  'eim-apdf-drop',
  'apdm-eif',
  'apdm-apdf-drop',
] as const satisfies readonly Kind[]

// the matrix is its own mirror image
const pairs = kinds.flatMap((dialer, n) => kinds.slice(n).map(listener => ({ dialer, listener })))

/** Three exchanges over a line with a round trip of 400 ms and losses, and three windows of 5 s. */
const DIRECT_TIMEOUT_MS = 60_000

describe('with 100 ms one way and 5 % loss', { concurrency: 4 }, () => {
  for (const { dialer, listener } of pairs) {
    const expected = outcomeOf(dialer, listener)
    it(`${dialer} to ${listener} ends ${expected}`, { timeout: 150_000 * runs }, async () => {
      await using stage = await createStage(LINE)
      const cast = stage.cast(await stage.place('dialer', dialer), await stage.place('listener', listener))
      await stage.net.capture()
      for (let run = 1; run <= (expected === 'direct' ? runs : 1); run++) {
        const title = `${dialer} to ${listener} with loss, run ${run}`
        await stage.evident(title, async () => runTrial(cast, expected, DIRECT_TIMEOUT_MS))
      }
    })
  }
})
