/** Finds out whether a disk takes data, and the system's reason if it does not. */

import { open, unlink } from 'node:fs/promises'
import { join } from 'node:path'

/** The file that is written, and removed again. */
const PROBE = 'disk-probe'

/** How much must fit, in bytes: more than a small database writes while it opens. */
const PROBE_BYTES = 512 * 1024

const UNWRITABLE: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EROFS'])

/**
 * Tells whether an error code means that a disk takes no data for now: it is full, or read-only, or broken, or a quota or a
 * limit on the size of files (`ulimit -f`) is reached. Any of these may end while the program runs.
 */
export function isUnwritable(code: string | undefined): boolean {
  return code !== undefined && UNWRITABLE.has(code)
}

/** Resolves with the error code for which a directory takes no data; undefined if it does. */
export async function whyUnwritable(directory: string): Promise<string | undefined> {
  const path = join(directory, PROBE)
  try {
    const file = await open(path, 'w', 0o600)
    try {
      await file.writeFile(Buffer.alloc(PROBE_BYTES))
      // network file systems report a full disk or a quota only here
      await file.datasync()
    } finally {
      await file.close()
    }
    return undefined
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code ?? message
  } finally {
    await unlink(path).catch(() => {})
  }
}
