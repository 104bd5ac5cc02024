/** A program that writes output as commands do (talker.ts), started as a process, and what its output has to hold. */

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cannotMount } from '../../../../network/small-disk.ts'
import type { ChildProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { TestContext } from 'node:test'

const TALKER = fileURLToPath(new URL('talker.ts', import.meta.url))
export const TERMINAL = fileURLToPath(new URL('terminal.py', import.meta.url))
export const LINUX = { skip: process.platform !== 'linux', timeout: 60_000 }
export const ON_DISK = { skip: cannotMount, timeout: 60_000 }
export const AT_TERMINAL = { skip: process.platform !== 'linux' || !hasPython(), timeout: 60_000 }

/** More than lies outside the queue: in the pipe of the kernel, in the stream of Node.js that writes, and in the one that reads. */
export const PIPE_BYTES = 1024 * 1024

export type Where = 'pipe' | number

export interface Line {
  event: string
  n?: number
  count?: number
  stream?: string
  reason?: string
}

/** A talker, and the proof that it is alive. */
export class Talker {
  readonly child: ChildProcess
  beats = ''

  constructor(t: TestContext, stdout: Where, stderr: Where, args: string[], via: string[] = []) {
    const [command = '', ...rest] = [...via, process.execPath, TALKER, 'talk', ...args]
    this.child = spawn(command, rest, { stdio: ['pipe', stdout, stderr, 'pipe'] })
    t.after(async () => this.kill())
    ;(this.child.stdio[3] as Readable).setEncoding('utf8').on('data', (text: string) => {
      this.beats += text
      this.child.emit('beat')
    })
  }

  get stdin(): Writable {
    return this.child.stdin as Writable
  }

  get stdout(): Readable {
    return this.child.stdout as Readable
  }

  get stderr(): Readable {
    return this.child.stderr as Readable
  }

  /** Resolves once it has said all, and has been alive for a while after that. */
  async spoken(): Promise<void> {
    await this.#until(() => this.beats.includes('done'))
    await this.alive()
  }

  /** Resolves when its timer has fired ten more times. */
  async alive(): Promise<void> {
    const { length } = this.beats
    await this.#until(() => this.beats.length >= length + 10)
  }

  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM')
    return this.ended()
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
  }

  async ended(): Promise<number | null> {
    if (this.child.exitCode !== null) return this.child.exitCode
    const [code] = (await once(this.child, 'exit', { signal: AbortSignal.timeout(20_000) })) as [
      number | null,
    ]
    return code
  }

  async #until(holds: () => boolean): Promise<void> {
    const signal = AbortSignal.timeout(20_000)
    while (!holds()) await once(this.child, 'beat', { signal })
  }
}

/** Resolves when this word has come over a stream that something else reads. */
export async function arrived(stream: Readable, word: string): Promise<void> {
  const signal = AbortSignal.timeout(20_000)
  for (let end = ''; !end.includes(word); ) {
    const [chunk] = (await once(stream, 'data', { signal })) as [Buffer]
    end = end.slice(-word.length) + chunk.toString()
  }
}

function hasPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import pty'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

export function linesOf(text: string): Line[] {
  assert.ok(text === '' || text.endsWith('\n'), 'the last line is whole')
  return text
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as Line)
}

/** Asserts that every event is there, in order, or counted as dropped; tells how many were dropped. */
export function assertComplete(lines: readonly Line[], events: number): number {
  let next = 0
  let dropped = 0
  for (const line of lines)
    if (line.event === 'talk') assert.equal(line.n, next++)
    else if (line.event === 'output:dropped') {
      next += line.count ?? 0
      dropped += line.count ?? 0
    }
  assert.equal(next, events)
  return dropped
}

export function openFile(t: TestContext, path: string): number {
  const fd = openSync(path, 'a')
  t.after(() => closeSync(fd))
  return fd
}

export async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'throughnat-output-'))
  t.after(async () => rm(path, { recursive: true, force: true }))
  return path
}

/** More than wait, and fewer. */
export const MANY = 100_000
export const SOME = 10_000
