/** What a command that runs lets others ask: its control socket. */

import { serveControl } from '../../control/server.ts'
import type { Output } from '../../../src/cli/output.ts'
import type { Routes } from '../../control/server.ts'

/** Serves the routes until disposed of. A node does its work without the socket, too. */
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
