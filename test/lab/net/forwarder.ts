/**
 * The program that delays, jitters and loses the wide area's packets (wan.py), seen from the outside.
 *
 * It ends with its stdin, so it cannot outlive the process that started it.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { inTime } from '../../waits.ts'
import type { ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { Namespace } from './namespaces.ts'

/** What one crossing of the wide area does to a packet. */
export interface Impairment {
  /** One way, in milliseconds: a round trip takes twice as long. */
  readonly delayMs: number
  /** Up to so many milliseconds more, evenly spread, never out of order within a flow. */
  readonly jitterMs: number
  /** Of packets, independently of each other, 0 to 100. */
  readonly lossPercent: number
}

/** An impairment of all crossings, and what single legs add to it by site number. */
interface ForwarderSetting extends Impairment {
  readonly legs: Readonly<Record<string, Impairment>>
}

export interface Forwarder {
  /** Resolves once every packet that comes from now on is treated so. */
  configure(setting: ForwarderSetting): Promise<void>
  /** Resolves when the program is gone. Idempotent. */
  stop(): Promise<void>
}

const PROGRAM = new URL('wan.py', import.meta.url).pathname
const STEP_TIMEOUT_MS = 10_000

/** Resolves when the TUN device exists and is waiting for packets. */
export async function startForwarder(namespace: Namespace, device: string): Promise<Forwarder> {
  // Debian's own interpreter where there is one: version managers' shims take a while to start.
  const python = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3'
  const [command = '', ...args] = namespace.enter([python, '-I', '-u', PROGRAM, device])
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  const lines = new Lines(child)
  await lines.next('ready')

  return {
    async configure(setting) {
      child.stdin.write(`${JSON.stringify(setting)}\n`)
      await lines.next('applied')
    },
    async stop() {
      child.stdin.end()
      await inTime(lines.ended, "the wide area's forwarder ends")
    },
  }
}

/** The program's answers. Its death, with what it had to say, is the answer to every open question. */
class Lines {
  readonly ended: Promise<void>
  #waiting: { expected: string; resolve: () => void; reject: (error: Error) => void }[] = []
  #stderr = ''

  constructor(child: ChildProcessByStdio<Writable, Readable, Readable>) {
    child.stdin.on('error', () => {}) // its death is told by 'close'
    child.stderr.on('data', chunk => (this.#stderr += chunk))
    createInterface({ input: child.stdout }).on('line', line => {
      const next = this.#waiting.shift()
      if (next?.expected === line) next.resolve()
      else next?.reject(new Error(`the wide area's forwarder said "${line}" instead of "${next.expected}"`))
    })
    this.ended = new Promise(resolve => {
      const finish = () => {
        for (const { reject } of this.#waiting)
          reject(new Error(`the wide area's forwarder ended\n${this.#stderr}`))
        this.#waiting = []
        resolve()
      }
      child.once('close', finish)
      child.once('error', error => {
        this.#stderr += error.message
        finish()
      })
    })
  }

  async next(expected: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiting.push({ expected, resolve, reject })
    const timer = setTimeout(
      () => reject(new Error(`the wide area's forwarder did not say "${expected}" in ${STEP_TIMEOUT_MS} ms`)),
      STEP_TIMEOUT_MS,
    )
    try {
      await promise
    } finally {
      clearTimeout(timer)
    }
  }
}
