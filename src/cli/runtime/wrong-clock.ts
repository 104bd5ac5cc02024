/** A warning about a wall clock that is certainly wrong. The programs work with it; others that look at times do not. */

import { isPlausibleTime } from '../../time/clock.ts'
import type { Output } from '../output/output.ts'

/**
 * Writes the warning where it is due.
 *
 * @param consequence - what does not work, a sentence
 * @param wallMs - the time, in milliseconds since the epoch
 */
export function warnAboutClock(
  output: Pick<Output, 'note'>,
  consequence: string,
  wallMs: number = Date.now(),
): void {
  if (isPlausibleTime(wallMs)) return
  output.note(
    `This machine's clock is wrong: it shows ${new Date(wallMs).toISOString()}. ${consequence} Set the clock.`,
  )
}
