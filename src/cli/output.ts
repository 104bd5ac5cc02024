/**
 * The one place that writes to stdout and stderr: stdout is data, stderr is everything else.
 *
 * Under `--json` stdout holds one JSON object a line and nothing else, until {@link Output.claimStdout} gives it away.
 */

import type { Writable } from 'node:stream'
import { styleText } from 'node:util'
import { jsonLine } from './json-line.ts'
import { Outlet } from './pipe-safe-output.ts'
import { describeProblem, printable } from './problem.ts'

/** What {@link createOutput} needs. */
export interface OutputInit {
  /** Whether events are written as JSON. */
  readonly json: boolean
  readonly stdout: Writable
  readonly stderr: Writable
  /** What is not written for people: hints (`note`), or these and the sentences of events. @default nothing */
  readonly quiet?: 'notes' | 'notes and events' | undefined
  /** Takes secrets out of what is written to stderr. @default nothing is */
  readonly hide?: (text: string) => string
  /** Tells the time in milliseconds since the epoch. @default Date.now */
  readonly now?: () => number
}

/** Where a command writes. Nothing here throws or waits; see {@link Output.flush}. */
export interface Output {
  readonly json: boolean
  /** Whether a person sees stdout as it is written. */
  readonly isTerminal: boolean
  /** Puts a text for stdout into a style, if that is a terminal which shows it and nobody asked for none (`NO_COLOR`). */
  style(style: 'bold' | 'green' | 'yellow', text: string): string
  /**
   * Fires when nobody reads stdout any more (`throughnat ... | head -1`). Writing goes on without effect; a command
   * should end, quietly. The reason is the stream's error, which may also be a full disk.
   */
  readonly readerGone: AbortSignal
  /**
   * Reports that something happened: `{"event":name,"at":...,...fields}` under `--json`, else the sentence for people.
   *
   * @param human - left out where people need not know
   */
  event(name: string, fields: Readonly<Record<string, unknown>>, human?: string): void
  /** Writes text that was asked for, such as help, to stdout as it is. */
  text(text: string): void
  /** Writes progress or a hint to stderr. */
  note(text: string): void
  /** Writes what went wrong to stderr: a line, a line a problem, or for a bug its stack. */
  problem(error: unknown): void
  /** Gives stdout away for raw data. From then on events go to stderr under `--json`, and are not written for people, nor are notes. */
  claimStdout(): Writable
  /** Resolves when everything written so far has left this process. */
  flush(): Promise<void>
}

/** Creates the output of a command. The streams are borrowed and never ended. */
export function createOutput(init: OutputInit): Output {
  const { json, now = Date.now, hide = text => text } = init
  const stdout = new Outlet(init.stdout)
  const stderr = new Outlet(init.stderr)
  const isTerminal = (init.stdout as { isTTY?: boolean }).isTTY === true
  let events = stdout
  let { quiet } = init
  return {
    json,
    isTerminal,
    // FORCE_COLOR, which `node --test` hands on, would colour what goes into a pipe
    style: (style, text) => (isTerminal ? styleText(style, text, { stream: init.stdout }) : text),
    readerGone: stdout.gone,
    event(name, fields, human) {
      if (json) events.write(`${jsonLine(name, now(), fields)}\n`)
      else if (human !== undefined && quiet !== 'notes and events') events.write(`${printable(human)}\n`)
    },
    text(text) {
      stdout.write(text.endsWith('\n') ? text : `${text}\n`)
    },
    note(text) {
      if (quiet === undefined) stderr.write(`${hide(printable(text))}\n`)
    },
    problem(error) {
      stderr.write(`${hide(printable(describeProblem(error)))}\n`)
    },
    claimStdout() {
      events = stderr
      if (!json) quiet = 'notes and events'
      return stdout.stream
    },
    async flush() {
      await Promise.all([stdout.flush(), stderr.flush()])
    },
  }
}
