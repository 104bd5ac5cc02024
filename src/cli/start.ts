/**
 * The start of a program. It checks the version of Node.js before it loads modules that an old version may
 * not even parse.
 */

import { assertRuntime } from '../node/runtime.ts'
import { isHangupIgnored } from './signals/hangup.ts'
import { enlargeThreadPool } from './runtime/thread-pool.ts'
import { keepYoungGenerationSmall } from './runtime/v8-heap.ts'

/**
 * The exit code for configuration, see exit-codes.ts. That module loads more than an old Node.js may support.
 */
const CONFIGURATION = 3

/** Loads and runs a program. Sets the exit code of the process. */
export async function start(load: () => Promise<{ run: () => Promise<number> }>): Promise<void> {
  try {
    assertRuntime()
  } catch (error) {
    process.stderr.write(`error: ${(error as Error).message}\n`)
    process.exitCode = CONFIGURATION
    return
  }
  keepYoungGenerationSmall()
  enlargeThreadPool()
  // until the program listens itself: loading takes time, and the default of the signal ends the process
  if (isHangupIgnored()) process.on('SIGHUP', () => {})
  const { run } = await load()
  process.exitCode = await run()
}
