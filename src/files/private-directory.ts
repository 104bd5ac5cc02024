/** Directories that are their user's alone. */

import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

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

async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    // a link that leads nowhere is there, too
    if (!(await stat(path)).isDirectory()) throw error
  }
}
