/** The end of a turn of the event loop: when a callback, and the promises that it has settled, have run. */

import { nextTick } from 'node:process'

/**
 * Calls `act` at the end of this turn, before the event loop goes on. `setImmediate()` calls later, after the
 * callbacks of all other sockets that have data, and `nextTick()` earlier, before the promises.
 */
export function afterTurn(act: () => void): void {
  queueMicrotask(() => nextTick(act))
}
