/** Directories that are their user's alone. */

import { chmod, mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isGroupPrivate } from './private-file.ts'

/**
 * Makes a directory, and those that it lies in as far as they are missing (mode 0700). One that is there stays as it is.
 *
 * Not by `recursive: true`, with which Node 24.21 never comes back, and takes all of a processor, where a file system has the parent and answers ENOENT for the
 * child, as /proc does. test/unit/src/files/private-directory.test.ts tells when it is mended.
 *
 * @throws what mkdir(2) says (ENOENT, EACCES, ENOTDIR, ...)
 */
export async function makePrivateDirectory(path: string): Promise<void> {
  try {
    await makeOne(path)
  } catch (error) {
    const parent = dirname(path)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw error
    await makePrivateDirectory(parent)
    await makeOne(path)
  }
}

/**
 * Takes the bits of others, and those of a group that is not private, from the mode of a directory. A directory of another
 * user stays as it is, and one on a file system that is read-only or keeps no modes.
 */
export async function closeDirectory(path: string, env: NodeJS.ProcessEnv = process.env): Promise<void> {
  if (process.platform === 'win32') return
  try {
    const stats = await stat(path)
    const open = isGroupPrivate(stats, env) ? 0o007 : 0o077
    if (stats.isDirectory() && (stats.mode & open) !== 0) await chmod(path, stats.mode & 0o7777 & ~open)
  } catch {
    // the data directory around it is checked, too
  }
}

async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    // a link that leads nowhere is there, too
    if (!(await stat(path)).isDirectory()) throw error
  }
}
