/** A command of `throughnat` or `throughnat-relay` on a host of the lab: its events, as a script would read them. */

import { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { untilEvent } from '../waits.ts'
import type { ChildProcess } from 'node:child_process'
import type { Host } from './net/network.ts'
import type { SteppedClock } from './stepped-clock.ts'

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
  #hasEnded = false

  constructor(host: Host, program: keyof typeof programs, args: readonly string[], init: CommandInit = {}) {
    const command = [process.execPath, programs[program], ...args, '--json']
    const [file = '', ...rest] = withSurroundings(init, command)
    this.#child = host.spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
    createInterface(this.#child.stdout!).on('line', line => {
      this.events.push(JSON.parse(line) as CommandEvent)
      this.#emitter.emit('event')
    })
    this.#child.once('close', () => {
      this.#hasEnded = true
      this.#emitter.emit('event')
    })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
  }

  /** The first event that fits, of those that came after the first `after` ones. */
  async event(
    fits: (event: CommandEvent) => boolean,
    { after = 0, withinMs = PATIENCE_MS }: { after?: number; withinMs?: number } = {},
  ): Promise<CommandEvent> {
    const find = (): CommandEvent | undefined => this.events.slice(after).find(fits)
    const isOver = (): boolean => this.#hasEnded || find() !== undefined
    try {
      await untilEvent(this.#emitter, 'event', isOver, `an event for which ${String(fits)}`, withinMs)
    } catch (cause) {
      throw new Error(`${(cause as Error).message}. The command printed:\n${this.stderr}`, { cause })
    }
    const event = find()
    if (event === undefined) throw new Error(`The command has ended. It printed:\n${this.stderr}`)
    return event
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#child.kill(signal)
  }

  /** How the command ended, or undefined as long as it runs. */
  get end(): number | NodeJS.Signals | undefined {
    return this.#child.exitCode ?? this.#child.signalCode ?? undefined
  }

  /** The resident memory of the command, in bytes. */
  get residentBytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
  }
}

export interface CommandInit {
  /** The command's own /etc/hosts. A change applies while the command runs. */
  hostsFile?: string
  /** The command's own clock. */
  clock?: SteppedClock
}

/** The command line of a program that has these, in a mount namespace of its own. */
function withSurroundings({ hostsFile, clock }: CommandInit, command: readonly string[]): string[] {
  const mounts = [
    ...(hostsFile === undefined ? [] : [`mount --bind '${hostsFile}' /etc/hosts`]),
    // libfaketime leaves files there when its program is killed
    ...(clock === undefined ? [] : ['mount -t tmpfs tmpfs /dev/shm']),
  ]
  if (mounts.length === 0) return [...command]
  const variables = Object.entries(clock?.environment ?? {}).map(([name, value]) => `${name}=${value}`)
  const script = [...mounts, 'exec env "$@"'].join(' && ')
  return ['unshare', '--mount', 'sh', '-c', script, 'sh', ...variables, ...command]
}

/** Tells events by their name and fields. */
export function isEvent(
  name: string,
  fields: Record<string, unknown> = {},
): (event: CommandEvent) => boolean {
  const wanted = Object.entries(fields)
  const fits = (event: CommandEvent): boolean =>
    event.event === name && wanted.every(([key, value]) => event[key] === value)
  // for the message of a wait
  fits.toString = () => `it is ${name} ${JSON.stringify(fields)}`
  return fits
}
