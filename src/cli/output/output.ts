/**
 * The only place that writes to stdout and stderr. Data goes to stdout, everything else to stderr.
 *
 * Invariant: with `--json`, stdout contains one JSON object per line and nothing else, until {@link
 * Output.claimStdout}.
 */

import type { Writable } from 'node:stream'
import { styleText } from 'node:util'
import { jsonLine } from './json-line.ts'
import { PipeSafeOutput } from './pipe-safe-output.ts'
import { RepeatedEvents } from './repeated-events.ts'
import { areOne } from './sink.ts'
import { describeProblem, printable } from './problem.ts'

/** The streams and settings of {@link createOutput}. */
export interface OutputInit {
  /** True to write events as JSON. */
  readonly json: boolean
  readonly stdout: Writable
  readonly stderr: Writable
  /** What is not written for people: hints (`note`), or these and the sentences of events. @default nothing */
  readonly quiet?: 'notes' | 'notes and events' | undefined
  /** Removes secrets from texts for stderr. @default none */
  readonly hide?: (text: string) => string
  /** Returns the time in milliseconds since the epoch. @default Date.now */
  readonly now?: () => number
}

/** The output of a command. Its methods never throw and never wait, except {@link Output.flush}. */
export interface Output {
  readonly json: boolean
  /** True if stdout is a terminal. */
  readonly isTerminal: boolean
  /** Styles a text for stdout, if that is a terminal with styles and `NO_COLOR` is not set. */
  style(style: 'bold' | 'green' | 'yellow', text: string): string
  /**
   * Fires when nobody reads stdout any more (`throughnat ... | head -1`). Writing goes on without effect; a command
   * should end, quietly. A full disk, or a reader that is slow, does not fire it.
   */
  readonly readerGone: AbortSignal
  /** The error code for which stdout cannot be written now, such as `ENOSPC`; undefined if it can. */
  readonly failure: string | undefined
  /**
   * Reports that something happened: `{"event":name,"at":...,...fields}` under `--json`, else the sentence for people.
   * Where nobody takes it, it waits, and is dropped when too much waits; an `output:dropped` then says how many were.
   * Refusals that repeat are counted, and written as one event with a `count`, see `RepeatedEvents`.
   *
   * @param human - without it, nothing is printed for people
   */
  event(name: string, fields: Readonly<Record<string, unknown>>, human?: string): void
  /** Writes requested text, such as help, to stdout unchanged. */
  text(text: string): void
  /** Writes progress or a hint to stderr. */
  note(text: string): void
  /** Writes an error to stderr: one line, one line per problem, or the stack of a bug. */
  problem(error: unknown): void
  /** Gives stdout away for raw data. From then on events go to stderr under `--json`, and are not written for people, nor are notes. */
  claimStdout(): Writable
  /** Resolves when everything written so far has left this process, or cannot leave it. A reader that is slow is waited for. */
  flush(): Promise<void>
}

/** Creates the output of a command. It never ends the streams. */
export function createOutput(init: OutputInit): Output {
  const { json, now = Date.now, hide = text => text } = init
  const lost = (count: number): string => `(${count} lines were dropped here: nobody took them in time)\n`
  const stdout: PipeSafeOutput = new PipeSafeOutput(init.stdout, {
    troubled(code) {
      // where stderr is the same pipe, nobody reads that either
      if (stderr !== stdout || code !== undefined) stderr.write(`${describeTrouble('stdout', code)}\n`)
    },
    describeLoss: count => (json ? `${jsonLine('output:dropped', now(), { count })}\n` : lost(count)),
  })
  const ownStderr = (): PipeSafeOutput =>
    new PipeSafeOutput(init.stderr, {
      troubled(code) {
        if (events !== stdout) return
        const reason = code ?? 'not read'
        if (json) stdout.write(`${jsonLine('output:failed', now(), { stream: 'stderr', reason })}\n`)
        else stdout.write(`${describeTrouble('stderr', code)}\n`)
      },
      describeLoss: lost,
    })
  const stderr = areOne(init.stdout, init.stderr) ? stdout : ownStderr()
  const isTerminal = (init.stdout as { isTTY?: boolean }).isTTY === true
  let events = stdout
  let { quiet } = init
  const repeated = new RepeatedEvents((name, fields, human) => {
    if (json) events.write(`${jsonLine(name, now(), fields)}\n`)
    else if (human !== undefined && quiet !== 'notes and events') events.write(`${printable(human)}\n`)
  })
  return {
    json,
    isTerminal,
    // FORCE_COLOR, which `node --test` passes on, would colour text in a pipe
    style: (style, text) => (isTerminal ? styleText(style, text, { stream: init.stdout }) : text),
    readerGone: stdout.gone,
    get failure() {
      return stdout.failure
    },
    event(name, fields, human) {
      repeated.write(name, fields, human)
    },
    text(text) {
      stdout.write(text.endsWith('\n') ? text : `${text}\n`, { keep: true })
    },
    note(text) {
      if (quiet === undefined) stderr.write(`${hide(printable(text))}\n`)
    },
    problem(error) {
      stderr.write(`${hide(printable(describeProblem(error)))}\n`, { keep: true })
    },
    claimStdout() {
      events = stderr
      if (!json) quiet = 'notes and events'
      return stdout.stream
    },
    async flush() {
      repeated.flush()
      await Promise.all([stdout.flush(), stderr.flush()])
    },
  }
}

function describeTrouble(stream: 'stdout' | 'stderr', code: string | undefined): string {
  const what = code === undefined ? `Nobody reads ${stream}` : `Cannot write to ${stream}: ${code}`
  return `warning: ${what}. The program goes on. Lines wait, up to 16 MiB, and more are dropped, until it works again.`
}
