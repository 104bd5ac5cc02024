/** A command of `throughnat` or `throughnat-relay` on a host of the lab: its events, as a script would read them. */

import { EventEmitter, once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ChildProcess } from 'node:child_process'
import type { Host } from './net/network.ts'

const programs = {
  throughnat: fileURLToPath(new URL('../../peer/bin/throughnat.ts', import.meta.url)),
  'throughnat-relay': fileURLToPath(new URL('../../relay/bin/throughnat-relay.ts', import.meta.url)),
} as const

/** A line of a command's output. */
export interface CommandEvent {
  event: string
  at: number
  [field: string]: unknown
}

/** How long an event is waited for, in milliseconds. */
const PATIENCE_MS = 30_000

export class Command {
  readonly events: CommandEvent[] = []
  stderr = ''
  readonly #child: ChildProcess
  readonly #emitter = new EventEmitter()

  constructor(host: Host, program: keyof typeof programs, args: readonly string[]) {
    this.#child = host.spawn(process.execPath, [programs[program], ...args, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    createInterface(this.#child.stdout!).on('line', line => {
      this.events.push(JSON.parse(line) as CommandEvent)
      this.#emitter.emit('event')
    })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
  }

  /** The first event that fits, of those that came after the first `after` ones. */
  async event(
    fits: (event: CommandEvent) => boolean,
    { after = 0, withinMs = PATIENCE_MS }: { after?: number; withinMs?: number } = {},
  ): Promise<CommandEvent> {
    const signal = AbortSignal.timeout(withinMs)
    for (;;) {
      const found = this.events.slice(after).find(fits)
      if (found !== undefined) return found
      await once(this.#emitter, 'event', { signal })
    }
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

/** Tells events by their name and fields. */
export function isEvent(
  name: string,
  fields: Record<string, unknown> = {},
): (event: CommandEvent) => boolean {
  return event => event.event === name && Object.entries(fields).every(([key, value]) => event[key] === value)
}
