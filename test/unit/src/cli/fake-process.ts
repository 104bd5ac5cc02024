/** The streams, signals and exit of a process that is not there, so that a program can run inside a test. */

import { EventEmitter } from 'node:events'
import { Readable, Writable } from 'node:stream'
import type { ProgramInit } from '../../../../src/cli/program.ts'
import { runProgram } from '../../../../src/cli/program.ts'

/** A stream that remembers what was written to it. */
export class RecordingStream extends Writable {
  readonly #chunks: string[] = []

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#chunks.push(chunk.toString())
    done()
  }

  get text(): string {
    return this.#chunks.join('')
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1)
  }
}

/** A pipe whose reader leaves after a number of lines. */
export class ClosingStream extends RecordingStream {
  readonly #most: number
  readonly #code: string

  constructor(most: number, code = 'EPIPE') {
    // Node's own stdout is not destroyed by an error either.
    super({ autoDestroy: false })
    this.#most = most
    this.#code = code
  }

  override _write(chunk: Buffer, encoding: string, done: (error?: Error | null) => void): void {
    if (this.lines.length < this.#most) super._write(chunk, encoding, done)
    else done(Object.assign(new Error(`write ${this.#code}`), { code: this.#code }))
  }
}

/** A stream that nobody reads until it is released. */
export class StuckStream extends RecordingStream {
  readonly #released = Promise.withResolvers<void>()
  #isReleased = false

  release(): void {
    this.#isReleased = true
    this.#released.resolve()
  }

  override _write(chunk: Buffer, encoding: string, done: (error?: Error | null) => void): void {
    if (this.#isReleased) super._write(chunk, encoding, done)
    else this.#released.promise.then(() => super._write(chunk, encoding, done), done)
  }
}

/** How a program ran. */
export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** The codes that the process would have been ended with at once. */
  readonly exits: readonly number[]
}

/** What surrounds a program in a test. */
export type FakeInit = Pick<ProgramInit, 'commands'> & Partial<ProgramInit> & { signals?: EventEmitter }

/** Runs a program with nothing of this process. */
export async function runFake(argv: readonly string[], init: FakeInit): Promise<Ran> {
  const stdout = init.stdout ?? new RecordingStream()
  const stderr = init.stderr ?? new RecordingStream()
  const exits: number[] = []
  const code = await runProgram({
    name: 'throughnat',
    version: '1.2.3',
    description: 'Reaches programs behind NATs.',
    env: {},
    directory: '/nowhere',
    stdin: Readable.from([]),
    signals: new EventEmitter(),
    isHangupIgnored: false,
    exit: exitCode => exits.push(exitCode),
    argv,
    ...init,
    stdout,
    stderr,
  })
  return { code, stdout: textOf(stdout), stderr: textOf(stderr), exits }
}

function textOf(stream: Writable): string {
  return stream instanceof RecordingStream ? stream.text : ''
}
