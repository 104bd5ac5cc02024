/** A tester's hand inside a machine of the lab: it listens and dials there, port by port. */
import { createInterface } from 'node:readline'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import type { Machine } from './machine.ts'
import type { Endpoint, ProbeAnswer, ProbeRequest } from './probe.ts'

/** How long a dial waits for an answer. On the lab's undelayed lines one takes a millisecond or two. */
const DEFAULT_TIMEOUT_MS = 500

const PROGRAM = new URL('probe.ts', import.meta.url).pathname

export interface DialOptions {
  /** The local port, shared with whatever else listens or dials there; an ephemeral one unless given. */
  readonly fromPort?: number
  /** @default 500 */
  readonly timeoutMs?: number
}

export class Prober {
  readonly #program: ChildProcessWithoutNullStreams
  readonly #open = new Map<
    number,
    { resolve: (answer: ProbeAnswer) => void; reject: (error: Error) => void }
  >()
  #requests = 0
  #stderr = ''

  constructor(machine: Machine) {
    this.#program = machine.spawn(process.execPath, ['--no-warnings', PROGRAM])
    this.#program.stdin.on('error', () => {}) // its end is told by 'exit'
    this.#program.stderr.on('data', chunk => (this.#stderr += chunk))
    this.#program.once('exit', () => {
      for (const { reject } of this.#open.values())
        reject(new Error(`the probe in ${machine.name} ended\n${this.#stderr}`))
    })
    createInterface({ input: this.#program.stdout }).on('line', line => {
      const answer = JSON.parse(line) as ProbeAnswer
      this.#open.get(answer.id)?.resolve(answer)
      this.#open.delete(answer.id)
    })
  }

  /** Listens on all addresses of a family. Resolves with the port. */
  async listen(port = 0, family: 'ipv4' | 'ipv6' = 'ipv4'): Promise<number> {
    const answer = await this.#ask({ listen: { address: anyAddress(family), port } })
    if (answer.localPort === undefined) throw new Error(`cannot listen on port ${port}: ${answer.outcome}`)
    return answer.localPort
  }

  /** Connects once, without a retry, and says how that ended. */
  async dial(
    to: Endpoint,
    { fromPort, timeoutMs = DEFAULT_TIMEOUT_MS }: DialOptions = {},
  ): Promise<ProbeAnswer> {
    const family = to.address.includes(':') ? 'ipv6' : 'ipv4'
    const from = fromPort === undefined ? undefined : { address: anyAddress(family), port: fromPort }
    return await this.#ask({ dial: to, from, timeoutMs })
  }

  async #ask(request: WithoutId<ProbeRequest>): Promise<ProbeAnswer> {
    const id = this.#requests++
    const { promise, resolve, reject } = Promise.withResolvers<ProbeAnswer>()
    this.#open.set(id, { resolve, reject })
    this.#program.stdin.write(`${JSON.stringify({ id, ...request })}\n`)
    return await promise
  }
}

/** `Omit` for each member of a union. */
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never

const anyAddress = (family: 'ipv4' | 'ipv6'): string => (family === 'ipv4' ? '0.0.0.0' : '::')
