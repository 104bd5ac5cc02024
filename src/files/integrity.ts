/**
 * Whether another user of this machine can change a file or a directory, or put another one in its place.
 *
 * Every part of the path is checked, and every symbolic link on the way: a user who owns a directory, or can write in one
 * that is not sticky, can replace what is in it. OpenSSH checks the files of its users in the same way (StrictModes of
 * sshd_config(5)). A result of `undefined` means that only this user and root can change what the path leads to.
 */

import { lstat, readFile, readlink, stat, statfs } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { isGroupPrivate, isInPod, printMode } from './private-file.ts'
import { shellWord } from './shell-word.ts'
import type { Stats } from 'node:fs'

/** Trusts every owner. */
const EVERYONE = { has: () => true }

/** The ids of users. */
type Owners = Pick<ReadonlySet<number>, 'has'>

const STICKY = 0o1000
const GROUP_WRITE = 0o020
const OTHERS_WRITE = 0o002

/** What {@link integrityFault} looks at. */
interface Options {
  env?: NodeJS.ProcessEnv
  /** True to check only modes: the owners may change what is theirs. */
  isOwnerFree?: boolean
  /** True to accept a file on a file system without modes, such as a drive of Windows in WSL. */
  isModeFree?: boolean
}

/** The types of file systems that make modes up (statfs(2)): 9p, CIFS, SMB2, FUSE, FAT, exFAT, NTFS. */
const WITHOUT_MODES: ReadonlySet<number> = new Set([
  0x0102_1997, 0xff53_4d42, 0xfe53_4d42, 0x6573_5546, 0x4d44, 0x2011_bab0, 0x7366_746e,
])

/**
 * Says who else can change a file, a directory or a socket, and the command that ends it. Undefined if nobody can, on
 * Windows, and for what is no file: a pipe, or a descriptor that the caller has opened (`/dev/stdin`, `/dev/fd/3`).
 *
 * @throws what stat(2) says
 */
export async function integrityFault(
  path: string,
  { env = process.env, isOwnerFree = false, isModeFree = false }: Options = {},
): Promise<string | undefined> {
  if (process.platform === 'win32') return undefined
  const end = await stat(path)
  if (!end.isFile() && !end.isDirectory() && !end.isSocket()) return undefined
  if (isModeFree && end.isFile() && (await hasNoModes(path, end.mode))) return undefined
  const trusted = isOwnerFree ? { own: EVERYONE, onTheWay: EVERYONE } : await trustedOwners(env)
  for await (const { place, stats, isEnd } of partsOf(path)) {
    const fault = isEnd
      ? faultOfEnd(place, stats, trusted.own, env)
      : faultOnTheWay(place, stats, trusted.onTheWay, path, env)
    if (fault !== undefined) return fault
  }
  return undefined
}

function faultOfEnd(
  place: string,
  stats: Stats,
  trusted: Owners,
  env: NodeJS.ProcessEnv,
): string | undefined {
  const word = shellWord(place)
  const isOfPod = isInPod(env) && (process.getgroups?.().includes(stats.gid) ?? false)
  if (!trusted.has(stats.uid) && !isOfPod)
    return `${place} belongs to ${ownerOf(stats)}, who can change it; run: chown ${process.geteuid?.()} ${word}`
  const writers = writersOf(stats, isGroupPrivate(stats, env))
  // an emptyDir volume has the mode 777, and only the pod has it
  if (writers === undefined || (stats.isDirectory() && isInPod(env) && stats.uid !== process.geteuid?.()))
    return undefined
  const command = stats.isDirectory() ? 'chmod 700' : 'chmod 600'
  return `${place} can be changed by ${writers}; run: ${command} ${word}; if that changes nothing, the file system keeps no modes: mount it with umask=077`
}

function faultOnTheWay(
  place: string,
  stats: Stats,
  trusted: Owners,
  path: string,
  env: NodeJS.ProcessEnv,
): string | undefined {
  // its volumes belong to many users, and only its own programs see them
  if (isInPod(env)) return undefined
  const what = stats.isSymbolicLink() ? 'symbolic link' : 'directory'
  if (!trusted.has(stats.uid))
    return `the ${what} ${place} belongs to ${ownerOf(stats)}, who can replace ${path}; use another place, or run: chown -h ${process.geteuid?.()} ${shellWord(place)}`
  if (stats.isSymbolicLink() || (stats.mode & STICKY) !== 0) return undefined
  const writers = writersOf(stats, isGroupPrivate(stats, env))
  return writers === undefined
    ? undefined
    : `the directory ${place} can be changed by ${writers}, who can replace ${path}; use another place, or run: chmod go-w ${shellWord(place)}`
}

/** Such a file system shows all bits, which a file that somebody has made has not. */
async function hasNoModes(path: string, mode: number): Promise<boolean> {
  return (mode & 0o777) === 0o777 && WITHOUT_MODES.has((await statfs(path)).type)
}

/** Undefined if only the owner can write. A group whose id is that of its user has that user alone (user private groups). */
function writersOf(stats: Stats, isGroupPrivate: boolean): string | undefined {
  const { mode, uid, gid } = stats
  if ((mode & OTHERS_WRITE) !== 0) return `others (${printMode(mode)})`
  if ((mode & GROUP_WRITE) === 0 || isGroupPrivate || (uid !== 0 && uid === gid)) return undefined
  return `its group (${printMode(mode)})`
}

function ownerOf({ uid }: Stats): string {
  return `the user with the id ${uid}`
}

/** This user, root, and with sudo the user who became root. */
async function trustedOwners(
  env: NodeJS.ProcessEnv,
): Promise<{ own: ReadonlySet<number>; onTheWay: ReadonlySet<number> }> {
  const me = process.geteuid?.() ?? 0
  const own = new Set([0, me])
  const sudoer = env['SUDO_UID'] ?? ''
  if (me === 0 && /^\d+$/.test(sudoer)) own.add(Number(sudoer))
  const overflow = await unmappedOwner()
  return { own, onTheWay: overflow === undefined ? own : new Set([...own, overflow]) }
}

/**
 * Under which id a user namespace shows the owners that it does not map, the host's root among them. Undefined where all
 * ids are mapped. See user_namespaces(7).
 */
async function unmappedOwner(): Promise<number | undefined> {
  try {
    const [map, overflow] = await Promise.all([
      readFile('/proc/self/uid_map', 'utf8'),
      readFile('/proc/sys/kernel/overflowuid', 'utf8'),
    ])
    const isWhole = /^\s*0\s+0\s+4294967295\s*$/.test(map)
    return isWhole ? undefined : Number(overflow)
  } catch {
    // not Linux
    return undefined
  }
}

/** The parts of a path from the root on, with every symbolic link on the way. Where they end is {@link stat}'s matter. */
async function* partsOf(path: string): AsyncGenerator<{ place: string; stats: Stats; isEnd: boolean }> {
  let pending = namesIn(resolve(path))
  let at: string = sep
  while (pending.length > 0) {
    const [name = '', ...rest] = pending
    const place = name === '..' ? dirname(at) : join(at, name)
    const stats = await lstat(place)
    const isLink = stats.isSymbolicLink()
    // the system's own: a descriptor that the caller has opened
    if (isLink && place.startsWith('/proc/')) return
    if (isLink) {
      const target = await readlink(place)
      if (target.startsWith(sep)) at = sep
      pending = [...namesIn(target), ...rest]
    } else {
      at = place
      pending = rest
    }
    yield { place, stats, isEnd: !isLink && pending.length === 0 }
  }
}

function namesIn(path: string): string[] {
  return path.split(sep).filter(name => name !== '' && name !== '.')
}
