/** A victim and a hostile remote, in processes of their own, and an innocent that asks the victim meanwhile. */

import { fork } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { on } from 'node:events'
import { Agent, get } from 'node:http'
import { fileURLToPath } from 'node:url'
import type { ChildProcess } from 'node:child_process'
import type { Orders, Report } from './hostile.ts'
import type { Answer, Question, Usage } from './victim.ts'

/** The victim is a relay or a peer that is dialled, or a peer that dials the hostile one. */
export type Role = 'relay' | 'listener' | 'dialer'

/** What a flood did. */
export interface Outcome {
  /** Processor time of the victim, in milliseconds. */
  cpuMs: number
  /** By how much the victim's memory has grown, in MiB. */
  growthMiB: number
  /** The longest that an innocent waited for an answer, in milliseconds. */
  innocentMs: number
  /** The victim has kept the connection. */
  isOpen: boolean
}

const LONGEST_MS = 60_000
const PAUSE_MS = 10

/** Time in which a victim handles what it has put off, where it keeps the connection, in milliseconds. */
const AFTERMATH_MS = 300

/** Time in which a victim ends a connection, in milliseconds. */
const END_MS = 20_000

export class Stage {
  readonly #victim: Child<Question, Answer>
  readonly #hostile: Child<Orders, Report>
  readonly #role: Role
  readonly #ready: { addr: string; port: number; listening: string }

  private constructor(
    victim: Child<Question, Answer>,
    hostile: Child<Orders, Report>,
    role: Role,
    ready: { addr: string; port: number; listening: string },
  ) {
    this.#victim = victim
    this.#hostile = hostile
    this.#role = role
    this.#ready = ready
  }

  static async start(role: Role): Promise<Stage> {
    const victim = new Child<Question, Answer>('victim.ts', role === 'relay' ? 'relay' : 'peer')
    const hostile = new Child<Orders, Report>('hostile.ts', role === 'dialer' ? 'listen' : 'dial')
    const [{ addr, port }, listening] = await Promise.all([
      victim.next(answer => ('ready' in answer ? answer.ready : undefined)),
      hostile.next(report => report.listening),
    ])
    return new Stage(victim, hostile, role, { addr, port, listening })
  }

  stop(): void {
    this.#victim.kill()
    this.#hostile.kill()
  }

  /** Connects, sends a flood, or as much of it as the victim takes, and waits for the end of the connection. */
  async flood(flood: NonNullable<Orders['flood']>, { mayStay = false } = {}): Promise<Outcome> {
    await this.#connect()
    const before = await this.#usage()
    const innocent = this.#ask()
    const left = this.#victim.next(answer => ('left' in answer ? answer.left : undefined))
    const sent = this.#hostile.next(report => report.sent)
    this.#hostile.send({ flood })
    await sent
    const over = new AbortController()
    const pause = wait(mayStay ? AFTERMATH_MS : END_MS, undefined, over).catch(() => {})
    await Promise.race([left, pause])
    over.abort()
    const innocentMs = await innocent.stop()
    const { cpuMs, rssMiB, connections } = await this.#usage()
    const isOpen = connections > 0
    this.#hostile.send({ leave: true })
    if (isOpen) await left
    return { cpuMs, growthMiB: rssMiB - before.rssMiB, innocentMs, isOpen }
  }

  async #connect(): Promise<void> {
    const connected = this.#hostile.next(report => report.ready)
    if (this.#role === 'dialer') this.#victim.send({ dial: this.#ready.listening })
    else this.#hostile.send({ dial: this.#ready.addr })
    await connected
  }

  async #usage(): Promise<Usage> {
    const usage = this.#victim.next(answer => ('usage' in answer ? answer.usage : undefined))
    this.#victim.send({ usage: true })
    return usage
  }

  /** Asks over HTTP, again and again. */
  #ask(): { stop: () => Promise<number> } {
    const agent = new Agent({ keepAlive: true })
    let longest = 0
    let isOver = false
    const asking = (async () => {
      while (!isOver) {
        const startedAt = performance.now()
        await new Promise<void>((resolve, reject) => {
          const request = get({ port: this.#ready.port, host: '127.0.0.1', agent }, response =>
            response.resume().once('end', resolve),
          )
          request.once('error', reject)
        })
        longest = Math.max(longest, performance.now() - startedAt)
        await wait(PAUSE_MS)
      }
    })()
    const stop = async (): Promise<number> => {
      isOver = true
      await asking
      agent.destroy()
      return longest
    }
    return { stop }
  }
}

/** A child process that talks by messages. */
class Child<In extends object, Out> {
  readonly #process: ChildProcess

  constructor(file: string, role: string) {
    this.#process = fork(fileURLToPath(new URL(file, import.meta.url)), [role])
    // a stage whose test has failed may wait for messages that do not come
    this.#process.setMaxListeners(0)
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  send(message: In): void {
    this.#process.send(message)
  }

  /** Resolves with what the first message has that is asked for. Rejects after a minute. */
  async next<T>(pick: (message: Out) => T | undefined): Promise<T> {
    const signal = AbortSignal.timeout(LONGEST_MS)
    for await (const [message] of on(this.#process, 'message', { signal })) {
      const picked = pick(message as Out)
      if (picked !== undefined) return picked
    }
    throw new Error('unreachable')
  }
}
