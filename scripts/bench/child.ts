/**
 * The programs that a benchmark is made of, from the side of the one that starts them: requests over the IPC channel, each with
 * a time that it may take. None of them outlives the benchmark, however that ends.
 */

import { fork } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { constants } from 'node:os'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ChildProcess } from 'node:child_process'

interface Reply {
  id: number
  result?: unknown
  error?: string
}

const running = new Set<ChildProcess>()

process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]))
}

/** A program in a process of its own. */
export class Child {
  readonly #name: string
  readonly #process: ChildProcess
  readonly #replies = new EventEmitter()
  #requests = 0

  /**
   * Starts a program.
   *
   * @param program - the name of a file in this folder, without `.ts`, or the URL of one elsewhere
   * @param options - handed to the program as its first argument, in JSON
   */
  constructor(program: string | URL, options: object = {}, execArgv: readonly string[] = []) {
    const path = fileURLToPath(
      typeof program === 'string' ? new URL(`${program}.ts`, import.meta.url) : program,
    )
    this.#name = basename(path, '.ts')
    this.#process = fork(path, [JSON.stringify(options)], {
      execArgv: [...execArgv],
      serialization: 'advanced',
    })
    running.add(this.#process)
    this.#replies.setMaxListeners(0)
    this.#process.on('message', (reply: Reply) => this.#replies.emit(String(reply.id), reply))
    this.#process.once('exit', code => {
      running.delete(this.#process)
      this.#replies.emit('gone', code)
    })
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  /** Asks the program for something; rejects if it fails, ends or takes longer than `timeoutMs`. */
  async do<Result>(action: string, args: object = {}, timeoutMs = 30_000): Promise<Result> {
    const id = ++this.#requests
    const gone = new AbortController()
    const onGone = (code: number | null): void => gone.abort(new Error(`${this.#name} ended with ${code}`))
    this.#replies.once('gone', onGone)
    const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(timeoutMs)])
    try {
      this.#process.send({ id, action, args })
      const [reply] = (await once(this.#replies, String(id), { signal })) as [Reply]
      if (reply.error !== undefined) throw new Error(`${this.#name}, ${action}: ${reply.error}`)
      return reply.result as Result
    } catch (error) {
      if (!signal.aborted) throw error
      throw new Error(`${this.#name} did not ${action} within ${timeoutMs / 1000} s`, {
        cause: signal.reason,
      })
    } finally {
      this.#replies.off('gone', onGone)
    }
  }

  /** Ends the program. */
  async stop(): Promise<void> {
    if (!running.has(this.#process)) return
    const gone = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await gone
  }
}
