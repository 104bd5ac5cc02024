/** Starts the control socket of a running command. */

import { serveControl } from '../../control/server.ts'
import type { Output } from '../../../src/cli/output/output.ts'
import type { Routes } from '../../control/server.ts'

/**
 * Serves the routes until the result is disposed of. If the socket cannot be created, prints a note and
 * continues without it.
 */
export async function startControl(
  dataDir: string,
  routes: Routes,
  output: Output,
): Promise<AsyncDisposable | undefined> {
  try {
    return await serveControl(dataDir, routes)
  } catch (error) {
    output.note(
      `No command can ask this node (throughnat status, and the like): ${(error as Error).message}.`,
    )
    return undefined
  }
}
