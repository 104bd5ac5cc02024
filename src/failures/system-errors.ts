/**
 * The errors of the operating system in words: what each code means, and what could not be done.
 *
 * Every code that Node.js knows has a meaning. Codes that libuv does not name, such as EDQUOT, arrive as
 * "Unknown system error -122" (Node 24 on Linux); their name is found by the number.
 */

import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'

/** The meanings that the system's own words hide from people, or that say more in this program. */
const MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was reset',
  ECONNABORTED: 'the connection was aborted',
  EPIPE: 'the other side has closed the connection',
  EHOSTUNREACH: 'no route leads there',
  ENETUNREACH: 'no route leads there',
  ENETDOWN: 'the network is down',
  EHOSTDOWN: 'the host is down',
  ETIMEDOUT: 'no answer',
  ENOTFOUND: 'the name does not exist',
  EAI_AGAIN: 'the name server does not answer',
  EAI_NONAME: 'the name does not exist',
  EAI_NODATA: 'the name has no address of this kind',
  EAFNOSUPPORT: 'this machine has no address of this kind',
  EADDRNOTAVAIL: 'this machine does not have the address',
  EADDRINUSE: 'the port is in use',
  EACCES: 'this user may not do that',
  EPERM: 'the system does not allow it',
  EMFILE: 'this process has as many open files and sockets as it may have',
  ENFILE: 'this machine has as many open files and sockets as it may have',
  ENOBUFS: 'the system has no memory left for sockets',
  ENOMEM: 'the system has no memory left',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota of this user is used up',
  EFBIG: 'the file would be larger than it may be',
  EROFS: 'the file system is read-only',
  EIO: 'the device fails',
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of the path is not a directory',
  EISDIR: 'it is a directory',
  ELOOP: 'its symbolic links lead in a circle',
  ENAMETOOLONG: 'the path is too long',
  EEXIST: 'it exists already',
  ENOTSUP: 'the file system or device does not support it',
  EOPNOTSUPP: 'the file system or device does not support it',
  ENOSYS: 'the system does not support it',
}

/** errno by number. Where two names share a number, Node's own name goes first, as in messages of Node.js. */
const NAMES_BY_NUMBER: ReadonlyMap<number, string> = new Map([
  ...Object.entries(constants.errno).map(([name, number]): [number, string] => [number, name]),
  ...[...getSystemErrorMap()].map(([number, [name]]): [number, string] => [-number, name]),
])

const SYSTEM_MEANINGS: ReadonlyMap<string, string> = new Map(getSystemErrorMap().values())

const NAMES: ReadonlySet<string> = new Set([...NAMES_BY_NUMBER.values(), ...Object.keys(constants.errno)])

/** Returns the code of an error of the operating system, such as ENOENT; undefined for other errors. */
export function systemCodeOf(error: unknown): string | undefined {
  const { code, errno, info } = (error ?? {}) as NodeJS.ErrnoException & { info?: { code?: string } }
  if (typeof code !== 'string') return undefined
  // ERR_SYSTEM_ERROR has the system's code inside
  if (code === 'ERR_SYSTEM_ERROR' && info?.code !== undefined) return systemCodeOf(info)
  if (isSystemCode(code)) return code
  return code.startsWith('Unknown system error') && errno !== undefined
    ? NAMES_BY_NUMBER.get(Math.abs(errno))
    : undefined
}

/** Tells whether a code is one of the operating system, or of its resolver. */
function isSystemCode(code: string): boolean {
  return NAMES.has(code) || code in MEANINGS || code.startsWith('EAI_')
}

/** Says what a code of the operating system means, in one clause; undefined for other codes. */
export function meaningOf(code: string): string | undefined {
  if (!isSystemCode(code)) return undefined
  return MEANINGS[code] ?? SYSTEM_MEANINGS.get(code) ?? 'the system refuses'
}

const VERBS: Readonly<Record<string, string>> = {
  connect: 'connect to',
  getaddrinfo: 'look up',
  listen: 'listen on',
  bind: 'listen on',
  mkdir: 'make the directory',
  scandir: 'list the directory',
  rmdir: 'remove the directory',
  stat: 'look at',
  lstat: 'look at',
  fstat: 'look at',
  access: 'use',
  unlink: 'remove',
  rename: 'rename',
  link: 'link',
  chmod: 'change the mode of',
  open: 'open',
  read: 'read',
  write: 'write',
  fsync: 'write',
  copyfile: 'copy',
  spawn: 'start',
  uv_os_homedir: 'find the home directory',
}

/**
 * Says in one sentence what the operating system refused, with what, and why. Undefined for other errors.
 *
 * `Cannot open /etc/relay.yaml: it does not exist (ENOENT).`
 */
export function describeSystemError(error: Error): string | undefined {
  const code = systemCodeOf(error)
  if (code === undefined) return undefined
  const { syscall, path, address, port, hostname, info } = error as NodeJS.ErrnoException & {
    address?: string
    port?: number
    hostname?: string
    info?: { syscall?: string }
  }
  const call = (syscall ?? info?.syscall)?.split(' ')[0] ?? ''
  const verb = VERBS[call] ?? call
  const endpoint = port === undefined ? address : `${address ?? ''} port ${port}`.trim()
  const object = path ?? endpoint ?? hostname
  const because = `${meaningOf(code)} (${code}).`
  if (verb === '') return `${because.charAt(0).toUpperCase()}${because.slice(1)}`
  return `Cannot ${[verb, object].filter(it => it !== undefined).join(' ')}: ${because}`
}
