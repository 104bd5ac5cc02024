/**
 * go-libp2p's relay without limits, for the benchmarks of relays: the program of the interoperability tests, asked what a
 * {@link Child} is asked. It offers Noise and TLS. Linux only: what it takes is read from /proc.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { build, isBuilt, programOf } from '../../test/interop/programs.ts'
import type { ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { Usage } from './usage.ts'

/** Milliseconds of a tick of /proc/PID/stat: USER_HZ is 100 on every architecture that Node.js runs on (proc(5)). */
const TICK_MS = 10

const REQUEST_TIMEOUT_MS = 30_000

/** The relay in a process of its own. It does not outlive the benchmark. */
export class GoRelay {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>
  readonly #replies: AsyncIterator<string>
  #requests = 0

  constructor() {
    if (!isBuilt('go')) build('go')
    const { program, args } = programOf('go')
    if (typeof program === 'string') throw new TypeError('go-libp2p is a program that is compiled')
    this.#process = spawn(program.executable, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    // as the program itself, it ends with its input
    process.once('exit', () => this.#process.kill('SIGKILL'))
    this.#replies = createInterface(this.#process.stdout)[Symbol.asyncIterator]()
  }

  /** Does what a relay of the benchmarks is asked for. */
  async do<Result>(action: string): Promise<Result> {
    const act = this.#actions[action]
    if (act === undefined) throw new TypeError(`go-libp2p's relay cannot do ${action}`)
    return (await act()) as Result
  }

  async stop(): Promise<void> {
    const gone = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await gone
  }

  readonly #actions: Readonly<Record<string, () => unknown>> = {
    start: async () => {
      const { addrs } = await this.#request<{ addrs: string[] }>('benchRelay', {
        listen: ['/ip4/127.0.0.1/tcp/0'],
      })
      return { addr: addrs[0], port: 0 }
    },
    mark: () => {
      writeFileSync(this.#file('clear_refs'), '5')
      return this.#usage()
    },
    usage: () => this.#usage(),
    settledUsage: async () => {
      await this.#request('settle')
      return this.#usage()
    },
  }

  async #request<Reply>(action: string, args: object = {}): Promise<Reply> {
    const id = ++this.#requests
    this.#process.stdin.write(
      `${JSON.stringify({ id, do: action, timeoutMs: REQUEST_TIMEOUT_MS, ...args })}\n`,
    )
    const { value } = await this.#replies.next()
    if (value === undefined) throw new Error(`go-libp2p's relay ended and did not ${action}`)
    const reply = JSON.parse(value) as Reply & { error?: { message: string } }
    if (reply.error !== undefined) throw new Error(`go-libp2p, ${action}: ${reply.error.message}`)
    return reply
  }

  #usage(): Usage {
    const [, afterName = ''] = readFileSync(this.#file('stat'), 'utf8').split(') ')
    const fields = afterName.split(' ')
    const status = readFileSync(this.#file('status'), 'utf8')
    return {
      cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
      rssBytes: sizeIn(status, 'VmRSS'),
      peakRssBytes: sizeIn(status, 'VmHWM'),
      heapUsedBytes: Number.NaN,
      externalBytes: Number.NaN,
    }
  }

  #file(name: string): string {
    return `/proc/${this.#process.pid}/${name}`
  }
}

function sizeIn(status: string, name: string): number {
  const [, kib] = new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(status) ?? []
  return Number(kib) * 1024
}
