/** Paths as people write them in flags, files and the environment. */

import { resolve } from 'node:path'

/**
 * Makes a path absolute: `~/` stands for `home`, and what is relative starts from `directory`.
 *
 * @throws {Error} when it holds a NUL character
 */
export function expandPath(text: string, directory: string, home: string): string {
  if (text.includes('\0')) throw new Error('a path holds no NUL character')
  // No shell stands between a config file or a service manager's environment and this program.
  return text === '~' || text.startsWith('~/') ? resolve(home, text.slice(2)) : resolve(directory, text)
}
