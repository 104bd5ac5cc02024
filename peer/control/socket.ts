/** The path of the control socket: a Unix socket in the data directory. */

import { join } from 'node:path'
import { MAX_SOCKET_PATH_BYTES } from '../../src/config/paths.ts'
import { InvalidConfigError } from '../../src/errors.ts'

/**
 * The path of the socket.
 *
 * @throws {InvalidConfigError} if the path is too long for a socket
 */
export function socketPathOf(dataDir: string): string {
  const path = join(dataDir, 'control.sock')
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return path
  const what = `${dataDir} is too long for a socket in it: use a path of ${MAX_SOCKET_PATH_BYTES - '/control.sock'.length} bytes at most`
  throw new InvalidConfigError([{ where: 'data-dir', what }])
}
