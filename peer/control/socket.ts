/** The path of the control socket: a Unix socket in the data directory. */

import { join } from 'node:path'
import { InvalidConfigError } from '../../src/errors.ts'

/**
 * Longest path of a Unix socket, in bytes. On Linux 108 with the final NUL (`sun_path`, unix(7)), elsewhere
 * less. The system truncates longer paths without an error.
 */
const MAX_PATH_BYTES = process.platform === 'linux' ? 107 : 103

/**
 * The path of the socket.
 *
 * @throws {InvalidConfigError} if the path is too long for a socket
 */
export function socketPathOf(dataDir: string): string {
  const path = join(dataDir, 'control.sock')
  if (Buffer.byteLength(path) <= MAX_PATH_BYTES) return path
  const what = `the path ${dataDir} is too long for a socket: use a path of at most ${MAX_PATH_BYTES - '/control.sock'.length} bytes`
  throw new InvalidConfigError([{ where: 'data-dir', what }])
}
