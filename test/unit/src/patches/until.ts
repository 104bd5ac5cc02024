/** A bounded wait for what no event announces. */

import { setImmediate as turn } from 'node:timers/promises'

const TIMEOUT_MS = 20_000

/** Resolves when the condition holds, which is checked in each turn of the event loop. Rejects after 20 s. */
export async function until(condition: () => boolean): Promise<void> {
  const startedAt = performance.now()
  while (!condition()) {
    if (performance.now() - startedAt > TIMEOUT_MS) throw new Error(`did not happen: ${String(condition)}`)
    await turn()
  }
}
