/** Where a running node is asked: a Unix socket in its data directory. */

import { join } from 'node:path'
import { MAX_SOCKET_PATH_BYTES } from '../../src/config/paths.ts'
import { InvalidConfigError } from '../../src/errors.ts'

/**
 * The path of the socket.
 *
 * @throws {InvalidConfigError} if no socket can have it
 */
export function socketPathOf(dataDir: string): string {
  const path = join(dataDir, 'control.sock')
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return path
  const what = `${dataDir} is too long a path for a socket in it: use one of ${MAX_SOCKET_PATH_BYTES - '/control.sock'.length} bytes at the most`
  throw new InvalidConfigError([{ where: 'data-dir', what }])
}
