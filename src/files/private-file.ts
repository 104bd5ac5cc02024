/**
 * Files that only their user can read: keys, tokens and tickets. They are written whole, or not at all.
 */

import { randomUUID } from 'node:crypto'
import { fstatSync, readlinkSync } from 'node:fs'
import { chmod, link, lstat, open, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { readWithin } from './bounded-read.ts'
import { shellWord } from './shell-word.ts'

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

/** Thrown when a file is to be replaced, and something else is there. */
class NotAFileError extends Error {
  override readonly name = 'NotAFileError'

  constructor(path: string) {
    super(`${path} is there and is no file`)
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
  return withDraft(path, content, async draft => publish(draft, path))
}

/**
 * Writes a file with the mode 0600. One that exists is replaced, whatever its mode is; a link is replaced, and not followed.
 *
 * @throws {NotPrivateError} if other users could read the file; it is not written then
 * @throws {NotAFileError} if there is a directory, a device or a pipe
 * @throws what the system says (EACCES, ENOSPC, ...)
 */
export async function replacePrivateFile(path: string, content: string | Uint8Array): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
  if (found !== undefined && !found.isFile() && !found.isSymbolicLink()) throw new NotAFileError(path)
  await withDraft(path, content, async draft => rename(draft, path))
}

/** Writes the content to a private file beside the other, and removes that when `act` has not moved it. */
async function withDraft<T>(
  path: string,
  content: string | Uint8Array,
  act: (draft: string) => Promise<T>,
): Promise<T> {
  const draft = `${path}.${randomUUID()}`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
    await file.close()
    await setMode(draft, path)
    return await act(draft)
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
 * The bits of the group count as private where {@link isGroupPrivate} says so. Those of others count as private for files
 * that root has placed, and that only root can change, where there are no other users: in a Kubernetes pod, and in
 * /run/secrets of a container (Docker secrets have the mode 444).
 *
 * @throws what stat(2) says
 */
export async function privacyFault(
  path: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  const stats = await stat(path)
  const { mode, uid } = stats
  if (!isOpen(mode)) return undefined
  const hasNoOtherUsers = isInPod(env) || path.startsWith('/run/secrets/')
  if (hasNoOtherUsers && uid === 0 && (mode & 0o022) === 0) return undefined
  if ((mode & 0o007) !== 0) return `others (${printMode(mode)})`
  return isGroupPrivate(stats, env) ? undefined : `its group (${printMode(mode)})`
}

/**
 * Warns of a file with a secret that others can read, with the command that ends it. Undefined for what is private, or is
 * no file (a pipe, or a descriptor that the caller has opened).
 *
 * Files that users copy, such as tickets, are not refused for this: the usual mode of a new file is 644, and the file can
 * have been read only by users who may see the directory.
 */
export async function privacyWarning(path: string): Promise<string | undefined> {
  try {
    const stats = await stat(path)
    const isGiven = /^\/(?:dev|proc)\//.test(path) || !stats.isFile()
    const readers = isGiven ? undefined : await privacyFault(path)
    return (
      readers &&
      `warning: ${path} contains a secret and can be read by ${readers}; run: chmod 600 ${shellWord(path)}`
    )
  } catch {
    // it was removed after it was read
    return undefined
  }
}

/**
 * Warns of a secret that is written to a descriptor, such as 1 for stdout, which is a file that others can read. Undefined
 * for a private file, a pipe and a terminal.
 *
 * @param instead - what to do instead
 */
export function outputWarning(descriptor: number, instead: string): string | undefined {
  try {
    const stats = fstatSync(descriptor)
    if (!stats.isFile() || !isOpen(stats.mode)) return undefined
    const readers = (stats.mode & 0o007) === 0 ? 'its group' : 'others'
    return `warning: the file of this output can be read by ${readers} (${printMode(stats.mode)}); ${instead}, or run: chmod 600 ${pathOf(descriptor)}`
  } catch {
    // it is closed
    return undefined
  }
}

function pathOf(descriptor: number): string {
  try {
    return shellWord(readlinkSync(`/proc/self/fd/${descriptor}`))
  } catch {
    // not Linux
    return 'FILE'
  }
}

/**
 * True in two cases, in which this process cannot remove the bits of the group, or not for long: the file belongs to root
 * and this process does not run as root (a Kubernetes Secret, or a file that an administrator has placed for a service),
 * and in a Kubernetes pod, where `fsGroup` sets them at each mount and only the pod is in the group.
 */
export function isGroupPrivate({ uid }: { uid: number }, env: NodeJS.ProcessEnv): boolean {
  const isPlaced = uid === 0 && process.getuid?.() !== 0
  return isPlaced || isInPod(env)
}

/** A pod has no users but its own. */
export function isInPod(env: NodeJS.ProcessEnv): boolean {
  return (env['KUBERNETES_SERVICE_HOST'] ?? '') !== ''
}

export function printMode(mode: number): string {
  return `mode ${(mode & 0o777).toString(8)}`
}

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777
}

/** Windows has no such bits: files in a user's directory are private by their access control lists. */
function isOpen(mode: number): boolean {
  return process.platform !== 'win32' && (mode & 0o077) !== 0
}
