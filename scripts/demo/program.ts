/** A program of the demo: its command as a person would type it, and its events as they come. */

import { EventEmitter, on } from 'node:events'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import type { ChildProcess } from 'node:child_process'
import type { Place } from './place.ts'

/** How long any one event is waited for, in milliseconds: a punch with all its attempts takes 20 s. */
const TIMEOUT_MS = 40_000

export interface DemoEvent {
  event: string
  /** Milliseconds since the epoch. */
  at: number
  [field: string]: unknown
}

export class DemoProgram {
  readonly events: DemoEvent[] = []
  readonly #name: string
  readonly #child: ChildProcess
  readonly #emitter = new EventEmitter()
  #stderr = ''

  /** Starts a program at a place. `hidden` arguments are for the demo and not for a person. */
  constructor(place: Place, path: string, args: string[], hidden: string[] = []) {
    this.#name = basename(path).replace(/\.[jt]s$/, '')
    this.#child = place.start(process.execPath, [path, ...args, ...hidden])
    createInterface(this.#child.stdout!).on('line', line => {
      const event = JSON.parse(line) as DemoEvent
      this.events.push(event)
      this.#emitter.emit('event', event)
    })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    this.#child.once('exit', code =>
      this.#emitter.emit('error', new Error(`${this.#name} ended with ${code}:\n${this.#stderr}`)),
    )
    // nobody may be waiting when it ends
    this.#emitter.on('error', () => {})
  }

  /** Resolves with the first event that fits, past or to come. */
  async event(name: string, fits: (event: DemoEvent) => boolean = () => true): Promise<DemoEvent> {
    const wanted = (event: DemoEvent): boolean => event.event === name && fits(event)
    const past = this.events.find(wanted)
    if (past !== undefined) return past
    try {
      for await (const [event] of on(this.#emitter, 'event', { signal: AbortSignal.timeout(TIMEOUT_MS) }))
        if (wanted(event as DemoEvent)) return event as DemoEvent
    } catch (error) {
      if ((error as Error).name !== 'AbortError') throw error
    }
    throw new Error(`${this.#name} has not reported ${name} within ${TIMEOUT_MS / 1000} s\n${this.#stderr}`)
  }
}
