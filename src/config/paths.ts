/** Paths as people write them in flags, files and the environment. */

import { homedir } from 'node:os'
import { isAbsolute, resolve } from 'node:path'
import type { ReadingPlace } from './kinds/kind.ts'

/**
 * Longest path of a Unix socket, in bytes: `sun_path` has 108 with the NUL at its end on Linux (unix(7)), and 104 elsewhere.
 * Node.js cuts off a longer one, or fails with EINVAL.
 */
export const MAX_SOCKET_PATH_BYTES: number = process.platform === 'linux' ? 107 : 103

/** Thrown for a path that starts with `~/` where this user has no home directory. */
export class NoHomeError extends Error {
  override readonly name = 'NoHomeError'

  constructor(options?: ErrorOptions) {
    super('this user has no home directory: HOME is not set, and /etc/passwd does not name one', options)
  }
}

/**
 * Returns the home directory of this user.
 *
 * @throws {NoHomeError} for a user without an entry in /etc/passwd, when HOME is not set
 */
export function homeDirectory(): string {
  let home: string
  try {
    home = homedir()
  } catch (cause) {
    throw new NoHomeError({ cause })
  }
  if (home === '') throw new NoHomeError()
  return home
}

function workingDirectory(): string {
  try {
    return process.cwd()
  } catch (cause) {
    throw new Error('the working directory does not exist any more; change to another one', { cause })
  }
}

/**
 * A place to read paths against. The home directory and the working directory are looked up only for a path that needs them.
 *
 * @param directory - @default the working directory
 */
export function placeAt(directory?: string): ReadingPlace {
  return {
    get directory() {
      return directory ?? workingDirectory()
    },
    get home() {
      return homeDirectory()
    },
  }
}

/**
 * Makes a path absolute: `~/` stands for the home directory, and what is relative starts from the directory of `place`.
 *
 * @throws {Error} when it has a NUL character, or needs a directory that there is not
 */
export function expandPath(text: string, place: ReadingPlace): string {
  if (text.includes('\0')) throw new Error('a path has no NUL character')
  // No shell stands between a config file or a service manager's environment and this program.
  if (text === '~' || text.startsWith('~/')) return resolve(place.home, text.slice(2))
  return isAbsolute(text) ? resolve(text) : resolve(place.directory, text)
}
