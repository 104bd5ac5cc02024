/** A running container, and the events that its program has reported since it was started: `docker logs --follow`. */

import { spawn } from 'node:child_process'
import { EventEmitter, on } from 'node:events'
import { createInterface } from 'node:readline'
import { docker } from './docker.ts'
import type { ChildProcess } from 'node:child_process'

/** How long any one event is waited for unless told, in milliseconds: a punch with all its attempts takes 20 s. */
const TIMEOUT_MS = 40_000

export interface Line {
  event: string
  /** Milliseconds since the epoch. */
  at: number
  [field: string]: unknown
}

export type Fits = (line: Line) => boolean

const followers = new Set<ChildProcess>()

/** Stops following all containers. */
export function unfollowAll(): void {
  for (const child of followers) child.kill()
}

export class Container {
  readonly name: string
  readonly lines: Line[] = []
  /** What is no event: what a program says to people. */
  stderr = ''
  readonly #emitter = new EventEmitter()

  private constructor(name: string, since: string) {
    this.name = name
    const child = spawn('docker', ['logs', '--follow', '--since', since, name], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    followers.add(child)
    child.once('close', () => {
      followers.delete(child)
      this.#emitter.emit('end')
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    createInterface(child.stdout).on('line', text => {
      this.lines.push(JSON.parse(text) as Line)
      this.#emitter.emit('line')
    })
  }

  /** Follows a container from its last start on. */
  static async follow(service: string): Promise<Container> {
    const name = `throughnat-test-${service}`
    return new Container(name, await docker('inspect', '--format', '{{.State.StartedAt}}', name))
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
    const signal = AbortSignal.timeout(timeoutMs)
    try {
      // the listener is there before the first look
      const lines = on(this.#emitter, 'line', { signal, close: ['end'] })
      for (let line = find(); ; line = find()) {
        if (line !== undefined) return line
        if ((await lines.next()).done === true) break
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
    const why = signal.aborted ? `within ${timeoutMs / 1000} s` : 'before it ended'
    throw new Error(`${this.name} has not reported ${name} ${why}\n${this.#told()}`)
  }

  #told(): string {
    const tail = this.lines.slice(-20).map(line => JSON.stringify(line))
    return [...tail, this.stderr].join('\n')
  }
}

export interface Wanted {
  fits?: Fits
  /** @default 0 */
  mark?: number
  /** @default 40000 */
  timeoutMs?: number
}
