/**
 * The wall clock of a program, which a test sets while the program runs. The clock of the machine stays as it is, and so do the
 * program's monotonic clock, its timers, and the times of files.
 *
 * Uses libfaketime, from Debian's package `faketime`.
 */

import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** How old the offset that a program goes by may be, in whole seconds of the machine's clock: libfaketime does not read its file each time. */
const CACHE_S = 1

/** How long a program may go on with the time from before, in milliseconds. */
export const STEP_TAKES_MS = (CACHE_S + 1) * 1_000

/** The linker replaces $LIB: lib/x86_64-linux-gnu, for example. */
const LIBRARY = '/usr/$LIB/faketime/libfaketimeMT.so.1'

export class SteppedClock {
  readonly #file: string

  /** @param directory - where the offset is kept, in a file of its own */
  constructor(directory: string, name: string) {
    this.#file = join(directory, `${name}.clock`)
    this.setBy(0)
  }

  /** Sets the clock so many seconds ahead of the machine's, or behind it where they are negative. */
  setBy(seconds: number): void {
    // in one step: half an offset would be another time
    const next = `${this.#file}.next`
    writeFileSync(next, `${seconds < 0 ? '' : '+'}${seconds}\n`)
    renameSync(next, this.#file)
  }

  /** The environment of a program that goes by this clock. */
  get environment(): Record<string, string> {
    return {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_CACHE_DURATION: String(CACHE_S),
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    }
  }
}
