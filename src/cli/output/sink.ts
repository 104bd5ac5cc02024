/**
 * Where output goes: a terminal, a file, or a stream such as a pipe. The invariant: writing never blocks the process.
 *
 * Node.js writes to terminals and files synchronously, and its stream for a file takes nothing more after its first error.
 * So these two are written by their descriptors.
 */

import { constants, fstatSync, openSync, readFileSync, write, writeSync } from 'node:fs'
import type { Writable } from 'node:stream'

/** Takes bytes. */
export interface Sink {
  /**
   * Takes some of the bytes, from their start: resolves with how many. None means that it was busy, and may be asked again.
   *
   * @throws the system's error
   */
  write(bytes: Buffer): number | Promise<number>
  /** Resolves when everything that it has taken has left this process. */
  flush(): Promise<void>
}

/** Finds the way to write to a stream that blocks nothing. */
export function sinkOf(stream: Writable & { fd?: number; isTTY?: boolean }): Sink {
  const { fd, isTTY } = stream
  if ((stream !== process.stdout && stream !== process.stderr) || fd === undefined)
    return new StreamSink(stream)
  if (isTTY === true) {
    const terminal = openTerminal(fd)
    return terminal === undefined ? new StreamSink(stream) : new TerminalSink(terminal)
  }
  const stats = fstatSync(fd)
  // /dev/full and /dev/null are character devices
  const isFile = stats.isFile() || stats.isCharacterDevice() || stats.isBlockDevice()
  return isFile ? new FileSink(fd) : new StreamSink(stream)
}

/** Whether stdout and stderr of this process are one file, terminal or pipe. Then one queue keeps their order. */
export function areOne(stdout: Writable, stderr: Writable): boolean {
  if (stdout !== process.stdout || stderr !== process.stderr) return false
  const [one, other] = [stdout, stderr].map(({ fd }: Writable & { fd?: number }) =>
    fd === undefined ? undefined : fstatSync(fd),
  )
  return one !== undefined && one.dev === other?.dev && one.ino === other.ino
}

/** A pipe or a socket, which Node.js writes asynchronously, or a stream of a test. */
class StreamSink implements Sink {
  readonly #stream: Writable

  constructor(stream: Writable) {
    this.#stream = stream
  }

  write(bytes: Buffer): number | Promise<number> {
    const stream = this.#stream
    if (stream.errored) throw stream.errored
    // one that was ended takes nothing, and that is no failure
    if (!stream.writable) return bytes.byteLength
    if (stream.writableNeedDrain) return new Promise(resolve => stream.once('drain', () => resolve(0)))
    stream.write(bytes)
    return bytes.byteLength
  }

  async flush(): Promise<void> {
    const stream = this.#stream
    if (stream.writableLength === 0) return
    await new Promise<void>(resolve => {
      if (stream.writableEnded) stream.once('finish', resolve)
      else stream.write('', () => resolve())
    })
  }
}

/**
 * How long a terminal that takes nothing is left alone, in milliseconds. The pause doubles up to the longest, after which a person who
 * presses Ctrl-Q sees no delay.
 */
const TERMINAL_PAUSE_MS = { first: 1, longest: 64 } as const

/** A terminal. One that is stopped (Ctrl-S), or whose other end does not read, takes nothing for a while. */
class TerminalSink implements Sink {
  readonly #fd: number
  #pauseMs: number = TERMINAL_PAUSE_MS.first

  constructor(fd: number) {
    this.#fd = fd
  }

  write(bytes: Buffer): number | Promise<number> {
    try {
      const count = writeSync(this.#fd, bytes)
      this.#pauseMs = TERMINAL_PAUSE_MS.first
      return count
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      const pauseMs = this.#pauseMs
      this.#pauseMs = Math.min(2 * pauseMs, TERMINAL_PAUSE_MS.longest)
      return new Promise(resolve => setTimeout(resolve, pauseMs, 0))
    }
  }

  async flush(): Promise<void> {}
}

/** A file, or a device. Its disk may be slow, so that a thread writes it. */
class FileSink implements Sink {
  readonly #fd: number

  constructor(fd: number) {
    this.#fd = fd
  }

  write(bytes: Buffer): Promise<number> {
    return writeSome(this.#fd, bytes)
  }

  async flush(): Promise<void> {}
}

function writeSome(fd: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, (error, count) => {
      if (error === null) resolve(count)
      else reject(error)
    })
  })
}

/**
 * Opens a terminal once more, so that writing to it does not block: the flag would hold for all programs that share the
 * descriptor, the shell among them. Undefined where that cannot be done; there the stream of Node.js is used, which blocks.
 */
function openTerminal(fd: number): number | undefined {
  if (process.platform !== 'linux') return undefined
  const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY
  for (const path of [`/proc/self/fd/${fd}`, '/dev/tty'])
    try {
      // after `su`, a terminal belongs to another user; its own processes may open it by this name
      if (path === '/dev/tty' && !isControllingTerminal(fd)) continue
      return openSync(path, flags)
    } catch {
      // the next one
    }
  return undefined
}

/** proc_pid_stat(5): `tty_nr` is the fifth field after the name, which stands in parentheses. */
function isControllingTerminal(fd: number): boolean {
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[4]) === fstatSync(fd).rdev
}
