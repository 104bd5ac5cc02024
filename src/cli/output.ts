/**
 * The only place that writes to stdout and stderr. Data goes to stdout, everything else to stderr.
 *
 * Invariant: with `--json`, stdout contains one JSON object per line and nothing else, until {@link
 * Output.claimStdout}.
 */

import type { Writable } from 'node:stream'
import { styleText } from 'node:util'
import { jsonLine } from './json-line.ts'
import { Outlet } from './pipe-safe-output.ts'
import { describeProblem, printable } from './problem.ts'

/** The streams and settings of {@link createOutput}. */
export interface OutputInit {
  /** True to write events as JSON. */
  readonly json: boolean
  readonly stdout: Writable
  readonly stderr: Writable
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
   * Fires when the reader of stdout has closed it (`throughnat ... | head -1`). Writes are dropped from then
   * on. The command should end without an error. The reason is the stream's error, which may also be a full
   * disk.
   */
  readonly readerGone: AbortSignal
  /**
   * Reports an event: as `{"event":name,"at":...,...fields}` with `--json`, otherwise as the sentence for
   * people.
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
  /** Hands stdout over for raw data. Events go to stderr from then on. */
  claimStdout(): Writable
  /** Resolves when everything written so far has left this process. */
  flush(): Promise<void>
}

/** Creates the output of a command. It never ends the streams. */
export function createOutput(init: OutputInit): Output {
  const { json, now = Date.now, hide = text => text } = init
  const stdout = new Outlet(init.stdout)
  const stderr = new Outlet(init.stderr)
  const isTerminal = (init.stdout as { isTTY?: boolean }).isTTY === true
  let events = stdout
  return {
    json,
    isTerminal,
    // FORCE_COLOR, which `node --test` passes on, would colour text in a pipe
    style: (style, text) => (isTerminal ? styleText(style, text, { stream: init.stdout }) : text),
    readerGone: stdout.gone,
    event(name, fields, human) {
      if (json) events.write(`${jsonLine(name, now(), fields)}\n`)
      else if (human !== undefined) events.write(`${printable(human)}\n`)
    },
    text(text) {
      stdout.write(text.endsWith('\n') ? text : `${text}\n`)
    },
    note(text) {
      stderr.write(`${hide(printable(text))}\n`)
    },
    problem(error) {
      stderr.write(`${hide(printable(describeProblem(error)))}\n`)
    },
    claimStdout() {
      events = stderr
      return stdout.stream
    },
    async flush() {
      await Promise.all([stdout.flush(), stderr.flush()])
    },
  }
}
