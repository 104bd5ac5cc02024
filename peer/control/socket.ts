/** Where a running node is asked: a Unix socket in its data directory. */

import { join } from 'node:path'
import { InvalidConfigError } from '../../src/errors.ts'

/** Longest path of a Unix socket, in bytes: 108 with the NUL at its end, on Linux (`sun_path`, unix(7)), and less elsewhere; a longer one is cut off in silence. */
const MAX_PATH_BYTES = process.platform === 'linux' ? 107 : 103

/**
 * The path of the socket.
 *
 * @throws {InvalidConfigError} if no socket can have it
 */
export function socketPathOf(dataDir: string): string {
  const path = join(dataDir, 'control.sock')
  if (Buffer.byteLength(path) <= MAX_PATH_BYTES) return path
  const what = `${dataDir} is too long a path for a socket in it: use one of ${MAX_PATH_BYTES - '/control.sock'.length} bytes at the most`
  throw new InvalidConfigError([{ where: 'data-dir', what }])
}
