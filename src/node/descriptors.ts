/**
 * The file descriptors of this process. Each file, each listener and each connection takes one.
 *
 * Without a free one, libuv accepts connections only to close them, and Node.js does not report it (observed with 24.21; libuv's
 * `uv__emfile_trick`). `networkInterfaces()` throws. The invariant: connections of callers, and those to services for them, leave some
 * free. Those beyond are refused, and counted. What is left serves files, dials, and the status of this process.
 *
 * A new descriptor has the lowest number that is free (POSIX, open(2)). So the number of the newest one says how many are in use.
 */

import { closeSync, openSync, readFileSync } from 'node:fs'
import { devNull } from 'node:os'
import { TypedEventEmitter } from 'main-event'
import type { Socket } from 'node:net'

/** How many they leave free, of many: a LevelDB that opens again takes most of them. Of few, a part. */
const RESERVE = { most: 16, part: 1 / 8 } as const

/** How often a process without free ones looks for them, in milliseconds, and how old the limit may be: prlimit(1) changes it. */
const LOOK_MS = 1_000

const LACK: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE'])

export interface DescriptorEvents {
  /** Connections are refused from now on. */
  'descriptors:exhausted': CustomEvent<{ limit: number }>
  /** Connections are accepted again. `refused` have been reset, or were not made. */
  'descriptors:recovered': CustomEvent<{ limit: number; refused: number }>
}

/** What is looked at; a test brings its own. */
export interface DescriptorSources {
  /** How many descriptors this process may have. */
  readonly readLimit: () => number
  /** The number that a new one would have, @throws EMFILE if there is none */
  readonly nextNumber: () => number
}

/** What could not be done, as errors of Node.js name it. */
interface RefusedCall {
  readonly syscall: string
  readonly address?: string | undefined
  readonly port?: number | undefined
}

export class Descriptors extends TypedEventEmitter<DescriptorEvents> {
  readonly #sources: DescriptorSources
  #limit = Number.POSITIVE_INFINITY
  #readAt = Number.NEGATIVE_INFINITY
  #count = 0
  /** Runs while there are none to spare. */
  #timer: NodeJS.Timeout | undefined

  constructor(sources: DescriptorSources = { readLimit, nextNumber }) {
    super()
    this.#sources = sources
  }

  /** Resets an accepted connection that has one of the last descriptors. Returns the reason then. */
  refuse(socket: Socket): NodeJS.ErrnoException | undefined {
    if (!this.#isReserved(numberOf(socket))) return undefined
    try {
      socket.resetAndDestroy()
    } catch {
      // a Unix socket cannot be reset: ERR_INVALID_HANDLE_TYPE
      socket.destroy()
    }
    return this.#refused({ syscall: 'accept' })
  }

  /** Returns the reason why a connection must not be made now: it would take one of the last descriptors. */
  lack(call: RefusedCall): NodeJS.ErrnoException | undefined {
    return this.#isReserved(this.#next()) ? this.#refused(call) : undefined
  }

  /** Counts a connection that could not be made, if that is for want of a descriptor. */
  noteFailure(error: Error): void {
    if (!LACK.has((error as NodeJS.ErrnoException).code)) return
    this.#exhausted()
    this.#count += 1
  }

  #refused(call: RefusedCall): NodeJS.ErrnoException {
    const error = Object.assign(new Error(`${call.syscall} EMFILE`), { code: 'EMFILE', ...call })
    this.noteFailure(error)
    return error
  }

  #next(): number {
    try {
      return this.#sources.nextNumber()
    } catch {
      return Number.POSITIVE_INFINITY
    }
  }

  #isReserved(number: number): boolean {
    return number >= this.#currentLimit() - this.#reserve
  }

  get #reserve(): number {
    return Math.min(RESERVE.most, Math.ceil(this.#limit * RESERVE.part))
  }

  #currentLimit(): number {
    const now = performance.now()
    if (now - this.#readAt >= LOOK_MS) {
      this.#readAt = now
      this.#limit = this.#sources.readLimit()
    }
    return this.#limit
  }

  #exhausted(): void {
    if (this.#timer !== undefined) return
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref()
    this.safeDispatchEvent('descriptors:exhausted', { detail: { limit: this.#currentLimit() } })
  }

  /** Twice the reserve must be free, so that it does not go back and forth. */
  #look(): void {
    const limit = this.#currentLimit()
    if (this.#next() >= limit - 2 * this.#reserve) return
    clearInterval(this.#timer)
    this.#timer = undefined
    const refused = this.#count
    this.#count = 0
    this.safeDispatchEvent('descriptors:recovered', { detail: { limit, refused } })
  }
}

/** Those of this process. */
export const descriptors: Descriptors = new Descriptors()

/** Node.js has no public name for it. It is -1 on Windows, which has no such limit, and after the end of the connection. */
function numberOf(socket: Socket): number {
  return (socket as Socket & { _handle?: { fd?: number } | null })._handle?.fd ?? -1
}

/** proc_pid_limits(5). Other systems than Linux have no cheap way to read it. */
function readLimit(): number {
  try {
    const [, soft] = /^Max open files +(\d+) /m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

function nextNumber(): number {
  const number = openSync(devNull, 'r')
  closeSync(number)
  return number
}
