/**
 * A timeout that counts only time in which this process runs.
 *
 * The timers of a process that was stopped or asleep all fire when it goes on, before it reads what has arrived
 * meanwhile. A timeout that counts in short steps leaves it the rest of a step for that.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { TimeoutError } from '@libp2p/interface'

/** One step, in milliseconds: more than a busy event loop takes for what has arrived. */
const STEP_MS = 500

/** A signal that fires with a `TimeoutError` after this time, in milliseconds. It does not keep the process alive. */
export function awakeTimeout(ms: number): AbortSignal {
  const controller = new AbortController()
  void count(ms).then(() => controller.abort(new TimeoutError('no answer in time')))
  return controller.signal
}

async function count(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= STEP_MS)
    await pause(Math.min(left, STEP_MS), undefined, { ref: false })
}
