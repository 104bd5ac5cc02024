/** What a program in a container reports, line by line, and waiting for it. */

import { spawn } from 'node:child_process'
import { EventEmitter, on } from 'node:events'
import { createInterface } from 'node:readline'
import { docker, PROJECT } from './docker.ts'
import type { ChildProcess, ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'

/** How long any one event is waited for unless told, in milliseconds: a punch with all its attempts takes 20 s. */
const TIMEOUT_MS = 40_000

/** How often what was printed is read anew while an event is waited for, in milliseconds. */
const LOOK_AGAIN_MS = 2_000

export interface Line {
  event: string
  /** Milliseconds since the epoch. */
  at: number
  [field: string]: unknown
}

/** Tells whether an event is the one that is waited for. */
export type Fits = (line: Line) => boolean

const followers = new Set<ChildProcess>()

/** Follows a container's events from its last start on. */
export async function follow(service: string): Promise<Reports> {
  const name = `${PROJECT}-${service}`
  const logs = ['logs', '--timestamps', ...(await sinceLastEnd(service))]
  const child = spawn('docker', [...logs, '--follow', name], { stdio: ['ignore', 'pipe', 'pipe'] })
  followers.add(child)
  child.once('close', () => followers.delete(child))
  return new Reports(name, child, async () => docker(...logs, name))
}

/**
 * What leaves out the lines from before the last start. They are older than the last end; the engine's word on when the program was started is no good for that: on a busy machine
 * it is later than the first line.
 */
async function sinceLastEnd(service: string): Promise<string[]> {
  const endedAt = await docker('inspect', '--format', '{{.State.FinishedAt}}', `${PROJECT}-${service}`)
  const hasEnded = Date.parse(endedAt) > 0
  return hasEnded ? ['--since', endedAt] : []
}

/** When the container's program was last started; it changes if that was started again. */
export async function startedAt(service: string): Promise<string> {
  return await docker('inspect', '--format', '{{.State.StartedAt}}', `${PROJECT}-${service}`)
}

/** Stops following all containers. */
export function unfollowAll(): void {
  for (const child of followers) child.kill()
}

export class Reports {
  readonly name: string
  readonly lines: Line[] = []
  #stderr = ''
  #hasEnded = false
  readonly #emitter = new EventEmitter()
  readonly #seen = new Set<string>()
  readonly #readAll: (() => Promise<string>) | undefined

  /**
   * Reads what a process prints: events on stdout, and on stderr what is for people. `readAll` gives all of stdout so far; each line stands behind its time then.
   */
  constructor(
    name: string,
    child: ChildProcessByStdio<Writable | null, Readable, Readable>,
    readAll?: () => Promise<string>,
  ) {
    this.name = name
    this.#readAll = readAll
    child.once('close', () => {
      this.#hasEnded = true
      this.#emitter.emit('end')
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    createInterface(child.stdout).on('line', text => this.#take(text))
  }

  #take(text: string): void {
    const isTimed = this.#readAll !== undefined
    // to the nanosecond, no two lines are the same
    if (isTimed && this.#seen.has(text)) return
    this.#seen.add(text)
    this.lines.push(JSON.parse(isTimed ? text.slice(text.indexOf(' ') + 1) : text) as Line)
    this.#emitter.emit('line')
  }

  /** Docker 20.10 can miss a line that is written just when it begins to follow, until another one is. Never rejects: the container may have gone. */
  async #lookAgain(): Promise<void> {
    const all = (await this.#readAll?.().catch(() => '')) ?? ''
    for (const text of all.split('\n')) if (text !== '') this.#take(text)
  }

  /** How many lines there are: events from here on are new. */
  get mark(): number {
    return this.lines.length
  }

  /** Resolves with the first event that fits, past or to come, not counting those before `mark`. */
  async event(
    name: string,
    { fits = () => true, mark = 0, timeoutMs = TIMEOUT_MS }: Wanted = {},
  ): Promise<Line> {
    const find = (): Line | undefined =>
      this.lines.slice(mark).find(line => line.event === name && fits(line))
    const past = find()
    if (past !== undefined) return past
    const signal = AbortSignal.timeout(timeoutMs)
    const looking = setInterval(() => void this.#lookAgain(), LOOK_AGAIN_MS)
    try {
      if (!this.#hasEnded)
        for await (const _ of on(this.#emitter, 'line', { signal, close: ['end'] })) {
          const line = find()
          if (line !== undefined) return line
        }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      clearInterval(looking)
    }
    const why = signal.aborted ? `within ${timeoutMs / 1000} s` : 'before it ended'
    throw new Error(`${this.name} has not reported ${name} ${why}\n${this.#told()}`)
  }

  #told(): string {
    const tail = this.lines.slice(-20).map(line => JSON.stringify(line))
    return [...tail, this.#stderr].join('\n')
  }
}

/** Which event is waited for, and how long. */
export interface Wanted {
  fits?: Fits
  /** @default 0 */
  mark?: number
  /** @default 40000 */
  timeoutMs?: number
}

/** Fits what is told of a path that is direct. */
export function isDirect(line: Line): boolean {
  return line['path'] === 'direct'
}

/** Fits what is told of a reservation at the relay with this address. */
export function isAt(address: string): Fits {
  return line => String(line['addr']).includes(`/ip4/${address}/`)
}
