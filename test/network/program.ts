/** The programs, run from source as processes of their own. */

import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { untilEvent } from '../waits.ts'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import type { TestContext } from 'node:test'

export const RELAY: string = fileURLToPath(new URL('../../relay/bin/throughnat-relay.ts', import.meta.url))
export const THROUGHNAT: string = fileURLToPath(new URL('../../peer/bin/throughnat.ts', import.meta.url))

export interface Line {
  event: string
  at: number
  [field: string]: unknown
}

/** Time for a line, and for the end of a program, in milliseconds. An upgrade with all its attempts takes 20 s. */
const LINE_TIMEOUT_MS = 30_000
const END_TIMEOUT_MS = 60_000

/** A program that runs, and what it has printed. */
export class Program {
  readonly child: ChildProcessWithoutNullStreams
  readonly lines: Line[] = []
  stdout = ''
  stderr = ''
  #hasClosed = false

  /**
   * `json` is false for a program whose stdout is no JSON, line by line; `uid` is another user to run as, `env` another
   * environment; `via` is a program that runs it.
   */
  constructor(
    t: TestContext,
    path: string,
    args: string[],
    {
      json = true,
      uid,
      via = [],
      env,
    }: { json?: boolean; uid?: number; via?: string[]; env?: NodeJS.ProcessEnv } = {},
  ) {
    const [command = '', ...rest] = [...via, process.execPath, path, ...args]
    this.child = spawn(command, rest, {
      ...(uid === undefined ? {} : { uid, gid: uid }),
      // a test run by nohup does not hand on its SIGHUP, but would its trace
      env: { ...(env ?? process.env), _: undefined },
    })
    t.after(() => this.child.kill('SIGKILL'))
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.child.emit('printed')
    })
    this.child.stdout.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString()
      this.child.emit('printed')
    })
    createInterface(this.child.stdout).on('line', line => {
      if (!json) return
      this.lines.push(JSON.parse(line) as Line)
      this.child.emit('printed')
    })
    this.child.once('close', () => {
      this.#hasClosed = true
      this.child.emit('printed')
    })
  }

  async line(event: string): Promise<Line> {
    return this.#find(() => this.lines.find(it => it.event === event), `the event ${event}`)
  }

  async lineWhere(fits: (line: Line) => boolean): Promise<Line> {
    return this.#find(() => this.lines.find(fits), `a line for which ${String(fits)}`)
  }

  /** Resolves when what the program has printed so far matches. */
  async said(pattern: RegExp, from: 'stdout' | 'stderr' = 'stderr'): Promise<RegExpExecArray> {
    return this.#find(() => pattern.exec(this[from]) ?? undefined, `${from} matches ${String(pattern)}`)
  }

  /** Resolves with the exit code when the program has ended and all its output has come; null after a fatal signal. */
  async ended(): Promise<number | null> {
    await this.#until(() => this.#hasClosed, 'the program ends', END_TIMEOUT_MS)
    return this.child.exitCode
  }

  async #find<T>(find: () => T | undefined, what: string): Promise<T> {
    await this.#until(() => this.#hasClosed || find() !== undefined, what, LINE_TIMEOUT_MS)
    const found = find()
    if (found === undefined) throw new Error(`The program has ended without ${what}${this.#printed}`)
    return found
  }

  async #until(condition: () => boolean, what: string, timeoutMs: number): Promise<void> {
    try {
      await untilEvent(this.child, 'printed', condition, what, timeoutMs)
    } catch (cause) {
      throw new Error(`${(cause as Error).message}${this.#printed}`, { cause })
    }
  }

  get #printed(): string {
    return `. It printed:\n${this.stdout}${this.stderr}`
  }
}

export async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'throughnat-test-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

export async function startRelay(t: TestContext, dataDir: string): Promise<{ relay: Program; addr: string }> {
  const args = ['--json', '--listen', '/ip4/127.0.0.1/tcp/0', '--data-dir', dataDir]
  const relay = new Program(t, RELAY, args)
  const { addrs } = await relay.line('relay:ready')
  return { relay, addr: (addrs as string[])[0] ?? '' }
}

export async function startListener(
  t: TestContext,
  relay: string,
  args: string[] = [],
  options: { via?: string[] } = {},
): Promise<{ listener: Program; addr: string }> {
  const dataDir = await directory(t)
  const all = ['listen', '--json', '--relay', relay, '--data-dir', dataDir, ...args]
  const listener = new Program(t, THROUGHNAT, all, options)
  const { addrs } = await listener.line('peer:ready')
  return { listener, addr: (addrs as string[])[0] ?? '' }
}
