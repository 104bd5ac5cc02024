/**
 * Whether the program was started with SIGHUP ignored, as `nohup` and `trap '' HUP` do.
 *
 * Node.js sets ignored signals back to their default before it runs a program (24.21, src/node.cc `ResetSignalHandlers`;
 * SigIgn in /proc/self/status has no SIGHUP then), so it has to be inferred from what is left: the parent, which hands the
 * ignored signals on, and the traces of `nohup`.
 */

import { readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'

/** What is looked at; a test brings its own. */
export interface HangupClues {
  /** The environment. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a file of /proc; undefined where there is none. */
  readonly read: (path: string) => string | undefined
  /** Where a link of /proc leads; undefined where there is none. */
  readonly follow: (path: string) => string | undefined
  readonly parent: number
}

const SIGHUP_BIT = 1n
const ACCESS_MODE = 0o3
const WRITE_ONLY = 0o1

/** Looks at this process, once. */
export function isHangupIgnored(
  { env, read, follow, parent }: HangupClues = {
    env: process.env,
    read: readProc,
    follow: followProc,
    parent: process.ppid,
  },
): boolean {
  return (
    // bash, zsh and ksh set it to the program that they start, which is nohup; that runs this one in its place
    basename(env['_'] ?? '') === 'nohup' ||
    isIgnoredIn(read('/proc/self/status')) ||
    (isIgnoredIn(read(`/proc/${parent}/status`)) && isSameSession(read, parent)) ||
    isUnreadable(read('/proc/self/fdinfo/0')) ||
    ['/proc/self/fd/1', '/proc/self/fd/2'].some(fd => isNohupOut(follow(fd)))
  )
}

/** proc_pid_status(5): SigIgn is a mask in hexadecimal digits. */
function isIgnoredIn(status: string | undefined): boolean {
  const [, mask] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status ?? '') ?? []
  return mask !== undefined && (BigInt(`0x${mask}`) & SIGHUP_BIT) !== 0n
}

/** A terminal multiplexer ignores SIGHUP itself and starts programs in sessions of their own, with the default. */
function isSameSession(read: HangupClues['read'], parent: number): boolean {
  const session = sessionIn(read('/proc/self/stat'))
  return session !== undefined && session === sessionIn(read(`/proc/${parent}/stat`))
}

/** proc_pid_stat(5): the sixth field; the second, the name in parentheses, may have blanks. */
function sessionIn(stat: string | undefined): string | undefined {
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[3]
}

/** GNU nohup, in place of a terminal, opens /dev/null for writing as standard input. Nobody else does. */
function isUnreadable(fdinfo: string | undefined): boolean {
  const [, flags] = /^flags:\s*([0-7]+)$/m.exec(fdinfo ?? '') ?? []
  return flags !== undefined && (Number.parseInt(flags, 8) & ACCESS_MODE) === WRITE_ONLY
}

/** nohup writes there what would go to a terminal. In a script of dash it is the only trace: standard input is /dev/null there. */
function isNohupOut(path: string | undefined): boolean {
  return path !== undefined && basename(path) === 'nohup.out'
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

function followProc(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}
