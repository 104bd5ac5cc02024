/**
 * Runs a program: parses the command line, resolves the configuration, runs the command, and returns the exit
 * code.
 *
 * The process ends on its own. A handle that keeps it alive is a bug, and exiting would hide it and lose
 * output.
 */

import type { Readable, Writable } from 'node:stream'
import { explainResolution } from '../config/describe.ts'
import type { CommandContext } from './command.ts'
import type { ParsedCommandLine, ProgramDescription } from './command-line.ts'
import { commandsOf, parseCommandLine } from './command-line.ts'
import type { StopSignal } from './exit-codes.ts'
import { exitCodeOf, exitCodeOfSignal, exitCodes } from './exit-codes.ts'
import { isReaderGone } from './pipe-safe-output.ts'
import type { Output } from './output.ts'
import { createOutput } from './output.ts'
import type { HangupSource } from './reload.ts'
import { watchReloads } from './reload.ts'
import type { SettledCommand } from './resolve-command.ts'
import { settleCommand } from './resolve-command.ts'
import type { SignalSource, StopSignals } from './stop-signals.ts'
import { watchStopSignals } from './stop-signals.ts'

/** A program and its process environment, which tests replace. */
export interface ProgramInit extends ProgramDescription {
  /** Removes secrets from texts for stderr. */
  readonly hide?: (text: string) => string
  /** The arguments. @default those of the process */
  readonly argv?: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
  /** The folder that relative paths start from. */
  readonly directory?: string
  readonly stdin?: Readable
  readonly stdout?: Writable
  readonly stderr?: Writable
  readonly signals?: SignalSource & HangupSource
  /** Ends the process immediately. Called for a second signal only. */
  readonly exit?: (code: number) => void
}

type Reload = Parameters<CommandContext['onReload']>[0]

type Run = Extract<ParsedCommandLine, { kind: 'run' }>

/**
 * Runs a program. Resolves with its exit code when all output was written. It never rejects, and does not end
 * the process:
 *
 * ```ts
 * process.exitCode = await runProgram({ name: 'throughnat', ... })
 * ```
 */
export async function runProgram(init: ProgramInit): Promise<number> {
  const { stdout = process.stdout, stderr = process.stderr, hide = text => text } = init
  const output = createOutput({ json: false, stdout, stderr, hide })
  const finish = async (code: number): Promise<number> => {
    await output.flush()
    return code
  }
  try {
    const parsed = parseCommandLine(init, init.argv ?? process.argv.slice(2), widthOf(stdout))
    if (parsed.kind === 'run') return await runParsed(init, parsed, output)
    if (parsed.isError) output.note(parsed.text.trimEnd())
    else output.text(parsed.text)
    return await finish(parsed.isError ? exitCodes.usage : exitCodes.ok)
  } catch (error) {
    output.problem(error)
    return await finish(exitCodeOf(error))
  }
}

async function runParsed(init: ProgramInit, parsed: Run, early: Output): Promise<number> {
  const { env = process.env, directory = process.cwd() } = init
  const surroundings = { environment: env, directory, commands: commandsOf(init) }
  const settle = async (): Promise<SettledCommand> => await settleCommand(parsed, surroundings)
  let settled: SettledCommand
  try {
    settled = await settle()
  } catch (error) {
    early.problem(error)
    const code = exitCodeOf(error)
    if (code === exitCodes.usage) early.note(`See ${commandName(init, parsed)} --help.`)
    await early.flush()
    return code
  }
  const { stdout = process.stdout, stderr = process.stderr, hide = text => text } = init
  const { json, explain, checkConfig } = settled.globals
  const output = createOutput({ json, stdout, stderr, hide })
  for (const warning of settled.warnings) output.note(`warning: ${warning}.`)
  if (explain) showOrigins(settled, output)
  else if (checkConfig) output.event('config:checked', {}, 'The configuration is valid.')
  else return await runSettled(init, settled, settle, output)
  await output.flush()
  return exitCodes.ok
}

async function runSettled(
  init: ProgramInit,
  { command, config, arguments: operands }: SettledCommand,
  settle: () => Promise<SettledCommand>,
  output: Output,
): Promise<number> {
  const signals = init.signals ?? process
  const stops = watchStopSignals({
    source: signals,
    names: command.reloads === true ? ['SIGINT', 'SIGTERM'] : ['SIGINT', 'SIGTERM', 'SIGHUP'],
    exit: init.exit ?? (code => process.exit(code)),
    onStop: name => {
      // not for SIGHUP: the terminal is gone, or ssh ended its ProxyCommand, whose user should not see this
      if (name !== 'SIGHUP') output.note(`Stopping after ${name}. A second one stops immediately.`)
    },
  })
  const { promise: reloadable, resolve: onReload } = Promise.withResolvers<Reload>()
  const reloads =
    command.reloads === true
      ? watchReloads(signals, async () => await reload(settle, await reloadable, output))
      : undefined
  const context: CommandContext = {
    arguments: operands,
    output,
    signal: AbortSignal.any([stops.signal, output.readerGone]),
    stdin: init.stdin ?? process.stdin,
    stoppedBy: () => stops.received,
    onReload,
  }
  try {
    let failure: { error: unknown } | undefined
    try {
      await command.run(config, context)
    } catch (error) {
      failure = { error }
    }
    stops.hurry()
    const code = concludeRun(failure, output, stops, command.endsWith ?? [])
    await output.flush()
    return code
  } finally {
    reloads?.close()
    stops.close()
  }
}

async function reload(
  settle: () => Promise<SettledCommand>,
  listener: Reload,
  output: Output,
): Promise<void> {
  try {
    const { config } = await settle()
    await listener(config)
  } catch (error) {
    output.problem(error)
    output.note('The previous configuration stays in force.')
  }
}

/** Reports the end of a run, and returns its exit code. */
function concludeRun(
  failure: { error: unknown } | undefined,
  output: Output,
  stops: StopSignals,
  ordinaryEnds: readonly StopSignal[],
): number {
  const { readerGone } = output
  const isStopped = stops.received !== undefined || readerGone.aborted
  // an AbortError is how a command ends after a signal
  const isAbort = failure?.error instanceof Error && failure.error.name === 'AbortError'
  const isReported = failure !== undefined && !(isStopped && (isAbort || failure.error === readerGone.reason))
  if (isReported) output.problem(failure.error)
  const code = isReported ? exitCodeOf(failure.error) : exitCodes.ok
  // a bug on the way out is more important than the signal
  if (code === exitCodes.bug) return code
  if (stops.received !== undefined) {
    return ordinaryEnds.includes(stops.received) ? code : exitCodeOfSignal(stops.received)
  }
  if (!readerGone.aborted) return code
  if (isReaderGone(readerGone.reason)) return code
  const { reason } = readerGone
  output.note(`error: Cannot write to stdout: ${reason instanceof Error ? reason.message : String(reason)}`)
  return exitCodes.bug
}

function showOrigins({ command, config, table, resolution }: SettledCommand, output: Output): void {
  const lines = explainResolution(table, resolution, command.implied?.(config))
  const longest = (texts: readonly string[]): number => Math.max(...texts.map(text => text.length))
  const nameWidth = longest(lines.map(({ option }) => option))
  const valueWidth = longest(lines.map(({ value = '-' }) => value))
  for (const { option, value, from } of lines) {
    const human = `${option.padEnd(nameWidth)}  ${(value ?? '-').padEnd(valueWidth)}  ${from}`
    output.event('option', { option, value: value ?? null, from }, human)
  }
}

function commandName({ name, commands }: ProgramInit, { command }: Run): string {
  return command === undefined || 'run' in commands ? name : `${name} ${command.name}`
}

function widthOf(stream: Writable): number {
  const { columns } = stream as { columns?: unknown }
  return typeof columns === 'number' && columns > 0 ? columns : 100
}
