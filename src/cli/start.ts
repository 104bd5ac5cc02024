/**
 * The start of a program: tells an old Node.js in one sentence that it will not do, before anything is loaded that it
 * could not even parse.
 */

import { assertRuntime } from '../node/runtime.ts'
import { isHangupIgnored } from './hangup.ts'
import { keepYoungGenerationSmall } from './v8-heap.ts'

/** The exit code for configuration, see exit-codes.ts; that module loads more than an old Node.js may be able to. */
const CONFIGURATION = 3

/** Loads and runs a program; its exit code becomes that of the process. */
export async function start(load: () => Promise<{ run: () => Promise<number> }>): Promise<void> {
  try {
    assertRuntime()
  } catch (error) {
    process.stderr.write(`error: ${(error as Error).message}\n`)
    process.exitCode = CONFIGURATION
    return
  }
  keepYoungGenerationSmall()
  // until the program listens itself: loading takes time, and the default of the signal ends the process
  if (isHangupIgnored()) process.on('SIGHUP', () => {})
  const { run } = await load()
  process.exitCode = await run()
}
