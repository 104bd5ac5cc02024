/** A program on a host of the lab, from the test's side: requests that are awaited, events that are kept. */

import { EventEmitter } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'
import { once, untilEvent } from '../waits.ts'
import type { ChildProcess } from 'node:child_process'
import type { Host } from './net/network.ts'

/** The programs that can run on a host: see the head of each; or another one, by its path. */
export type Program =
  | 'agent'
  | 'plain-agent'
  | 'mapping-agent'
  | 'hostile-agent'
  | 'hostile-relay'
  | 'traffic-agent'
  | { executable: string }

/** How long any one request may take, in milliseconds, unless it says so itself. */
const TIMEOUT_MS = 30_000

export interface LabEvent {
  event: string
  at: number
  name: string
  [field: string]: unknown
}

interface Reply {
  id: number
  error?: { name: string; message: string; reason?: string }
  [field: string]: unknown
}

/** Thrown where a request failed on its host; `name` and `reason` are those of the error there. */
class RemoteError extends Error {
  readonly reason: string | undefined

  constructor(host: string, error: NonNullable<Reply['error']>) {
    super(`on ${host}: ${error.message}`)
    this.name = error.name
    this.reason = error.reason
  }
}

export class Remote {
  readonly host: Host
  /** All events so far, in order. */
  readonly events: LabEvent[] = []
  /** What the program wrote to stderr. */
  stderr = ''

  readonly #child: ChildProcess
  readonly #replies = new EventEmitter()
  #requests = 0

  constructor(host: Host, program: Program = 'agent', args: readonly string[] = []) {
    this.host = host
    const [command, ...rest] =
      typeof program === 'string'
        ? [process.execPath, fileURLToPath(new URL(`${program}.ts`, import.meta.url))]
        : [program.executable]
    this.#child = host.spawn(command, [...rest, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#replies.setMaxListeners(0)
    createInterface(this.#child.stdout!).on('line', line => this.#receive(line))
    this.#child.stderr!.setEncoding('utf8').on('data', text => {
      this.stderr += text
    })
    this.#child.once('exit', () => {
      this.#replies.emit('gone')
      this.#replies.emit('event')
    })
  }

  /** Asks the program for something and resolves with its reply. */
  async do<Result>(action: string, args: object = {}, timeoutMs: number = TIMEOUT_MS): Promise<Result> {
    const id = ++this.#requests
    const gone = new AbortController()
    const onGone = (): void => gone.abort(new Error(this.crash))
    this.#replies.once('gone', onGone)
    this.#child.stdin!.write(`${JSON.stringify({ id, do: action, timeoutMs, ...args })}\n`)
    try {
      const what = `the answer of ${this.host.name} to ${action}`
      const wait = { signal: gone.signal, timeoutMs: timeoutMs + 5_000, what }
      const [reply] = (await once(this.#replies, String(id), wait)) as [Reply]
      if (reply.error !== undefined) throw new RemoteError(this.host.name, reply.error)
      return reply as Result
    } finally {
      this.#replies.off('gone', onGone)
    }
  }

  /** The first event from now on that fits. */
  async next(fits: (event: LabEvent) => boolean, timeoutMs: number = TIMEOUT_MS): Promise<LabEvent> {
    const before = this.events.length
    const find = (): LabEvent | undefined => this.events.slice(before).find(fits)
    const what = `an event of ${this.host.name} for which ${String(fits)}`
    const isOver = (): boolean => this.crash !== undefined || find() !== undefined
    await untilEvent(this.#replies, 'event', isOver, what, timeoutMs)
    const event = find()
    if (event === undefined) throw new Error(this.crash)
    return event
  }

  /** Sends the program a signal. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** How the program ended of itself, or undefined as long as it runs. */
  get crash(): string | undefined {
    const { exitCode, signalCode } = this.#child
    return exitCode === null && signalCode === null
      ? undefined
      : `the program on ${this.host.name} ended with ${exitCode ?? signalCode}: ${this.stderr}`
  }

  /** Ends the program. */
  stop(): void {
    this.#child.stdin!.end()
  }

  #receive(line: string): void {
    const message = JSON.parse(line) as Reply | LabEvent
    if ('event' in message) {
      this.events.push(message as LabEvent)
      this.#replies.emit('event')
    } else this.#replies.emit(String(message.id), message)
  }
}
