/**
 * Files that only their user can read: keys and tokens. They are created whole, or not at all, and never overwritten.
 */

import { randomUUID } from 'node:crypto'
import { chmod, link, open, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { readWithin } from './bounded-read.ts'

/** What link(2) says where a file system has no hard links, or allows none: exFAT, FAT, SMB, some FUSE. */
const NO_HARD_LINKS: ReadonlySet<string> = new Set([
  'EPERM',
  'EOPNOTSUPP',
  'ENOTSUP',
  'ENOSYS',
  'EMLINK',
  'EINVAL',
  'EXDEV',
])

/** What chmod(2) says where a file system keeps no modes. */
const NO_MODES: ReadonlySet<string> = new Set(['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EINVAL'])

/** Thrown when a file system shows a file to other users although it was created with the mode 0600. */
class NotPrivateError extends Error {
  override readonly name = 'NotPrivateError'

  constructor(path: string, mode: number) {
    super(
      `the file system of ${dirname(path)} does not keep the mode 600 and lets other users read the file (mode ${mode.toString(8)}); ` +
        'use a directory on another file system, or mount this one with umask=077',
    )
  }
}

/**
 * Creates a file with the mode 0600, unless it exists. Resolves with false if it does.
 *
 * The content is written to a file beside it, which is then linked into place: a crash leaves no half file, and of two
 * processes that start at the same time one wins. Where there are no hard links, the winner is the process that creates
 * the file, empty; it then replaces it by a rename. Readers may find it empty for that moment, see {@link readWhole}.
 *
 * @throws {NotPrivateError} if other users could read the file; it is not created then
 * @throws what the system says (EACCES, ENOSPC, ...)
 */
export async function createPrivateFile(path: string, content: string | Uint8Array): Promise<boolean> {
  const draft = `${path}.${randomUUID()}`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
    await file.close()
    await setMode(draft, path)
    return await publish(draft, path)
  } finally {
    await file.close().catch(() => {})
    await unlink(draft).catch(() => {})
  }
}

/** Despite the mode that it was created with: an access control list of the directory can add to that. */
async function setMode(draft: string, path: string): Promise<void> {
  await chmod(draft, 0o600).catch((error: NodeJS.ErrnoException) => {
    if (!NO_MODES.has(error.code ?? '')) throw error
  })
  const mode = await modeOf(draft)
  if (isOpen(mode)) throw new NotPrivateError(path, mode)
}

async function publish(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path)
    return true
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (!NO_HARD_LINKS.has(code)) throw error
    return claim(draft, path)
  }
}

async function claim(draft: string, path: string): Promise<boolean> {
  try {
    const claimed = await open(path, 'wx', 0o600)
    await claimed.close()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
  try {
    await rename(draft, path)
    return true
  } catch (error) {
    await unlink(path).catch(() => {})
    throw error
  }
}

/** A process that has created the file empty replaces it within this time, in milliseconds, and is looked for as often. */
const CLAIMED = { mostMs: 1_000, everyMs: 20 } as const

/** The longest private file, in bytes. An RSA key of 16384 bits has 10 KiB. */
const LONGEST_BYTES = 64 * 1024

/**
 * Reads a file that {@link createPrivateFile} creates, and waits while it is empty. A file that stays empty is returned
 * as that.
 *
 * @throws {RangeError} if it is too large
 * @throws what the system says
 */
export async function readWhole(path: string): Promise<Buffer> {
  const until = performance.now() + CLAIMED.mostMs
  for (;;) {
    const content = await readWithin(path, LONGEST_BYTES)
    if (content.length > 0 || performance.now() > until) return content
    await pause(CLAIMED.everyMs)
  }
}

/**
 * Says who else can read a file, as the mode tells it; undefined if nobody can.
 *
 * The bits of the group count as private in two cases, in which this process cannot remove them, or not for long:
 * the file belongs to root and this process does not run as root (a Kubernetes Secret, or a file that an administrator
 * has placed for a service), and in a Kubernetes pod, where `fsGroup` sets them at each mount and only the pod is in
 * the group.
 *
 * @throws what stat(2) says
 */
export async function privacyFault(
  path: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  const { mode, uid } = await stat(path)
  if (!isOpen(mode)) return undefined
  const bits = `mode ${(mode & 0o777).toString(8)}`
  if ((mode & 0o007) !== 0) return `others (${bits})`
  const isPlaced = uid === 0 && process.getuid?.() !== 0
  const isInPod = (env['KUBERNETES_SERVICE_HOST'] ?? '') !== ''
  return isPlaced || isInPod ? undefined : `its group (${bits})`
}

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777
}

/** Windows has no such bits: files in a user's directory are private by their access control lists. */
function isOpen(mode: number): boolean {
  return process.platform !== 'win32' && (mode & 0o077) !== 0
}
