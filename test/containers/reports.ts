/** What a program in a container reports, line by line, and waiting for it. */

import { spawn } from 'node:child_process'
import { EventEmitter, on } from 'node:events'
import { createInterface } from 'node:readline'
import { docker, PROJECT } from './docker.ts'
import type { ChildProcess, ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'

/** How long any one event is waited for unless told, in milliseconds: a punch with all its attempts takes 20 s. */
const TIMEOUT_MS = 40_000

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
  const since = await startedAt(service)
  const child = spawn('docker', ['logs', '--follow', '--since', since, name], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  followers.add(child)
  child.once('close', () => followers.delete(child))
  return new Reports(name, child)
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

  /** Reads what a process prints: events on stdout, and on stderr what is for people. */
  constructor(name: string, child: ChildProcessByStdio<Writable | null, Readable, Readable>) {
    this.name = name
    child.once('close', () => {
      this.#hasEnded = true
      this.#emitter.emit('end')
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    createInterface(child.stdout).on('line', text => {
      this.lines.push(JSON.parse(text) as Line)
      this.#emitter.emit('line')
    })
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
    try {
      if (!this.#hasEnded)
        for await (const _ of on(this.#emitter, 'line', { signal, close: ['end'] })) {
          const line = find()
          if (line !== undefined) return line
        }
    } catch (error) {
      if (!signal.aborted) throw error
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
