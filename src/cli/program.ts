/**
 * Runs a program: parses the command line, resolves the configuration, runs the command, and returns the exit
 * code.
 *
 * The process ends on its own. A handle that keeps it alive is a bug, and exiting would hide it and lose
 * output.
 */

import type { Readable, Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { explainResolution } from '../config/describe.ts'
import type { CommandContext } from './command.ts'
import type { ParsedCommandLine, ProgramDescription } from './command-line/command-line.ts'
import { commandsOf, parseCommandLine } from './command-line/command-line.ts'
import type { StopSignal } from './exit-codes.ts'
import { exitCodeOf, exitCodeOfSignal, exitCodes } from './exit-codes.ts'
import { watchDescriptors } from './runtime/descriptor-watch.ts'
import { isHangupIgnored as findHangupIgnored } from './signals/hangup.ts'
import type { Output } from './output/output.ts'
import { createOutput } from './output/output.ts'
import type { HangupSource } from './signals/reload.ts'
import { watchReloads } from './signals/reload.ts'
import type { SettledCommand } from './command-line/resolve-command.ts'
import { settleCommand } from './command-line/resolve-command.ts'
import type { SignalSource, StopSignals } from './signals/stop-signals.ts'
import { watchStopSignals } from './signals/stop-signals.ts'

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
  /** Whether the process was started with SIGHUP ignored, as by `nohup`. @default found out */
  readonly isHangupIgnored?: boolean
  /** Ends the process immediately; called for a second signal, and when a stopped program's output is not read. */
  readonly exit?: (code: number) => void
}

/** After a signal, output that nobody takes is waited for so long, in milliseconds. */
const FLUSH_MS = 2_000

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
  const finish = async (code: number): Promise<number> => finishOutput(output, code)
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
  const { env = process.env, directory } = init
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
  const { json, quiet, explain, checkConfig } = settled.globals
  const left = settled.command.isOngoing === true && !explain && !checkConfig ? 'notes and events' : 'notes'
  const output = createOutput({ json, stdout, stderr, hide, quiet: quiet ? left : undefined })
  for (const warning of settled.warnings) output.note(`warning: ${warning}.`)
  if (explain) showOrigins(settled, output)
  else if (checkConfig) output.event('config:checked', {}, 'The configuration is valid.')
  else return await runSettled(init, settled, settle, output)
  return await finishOutput(output, exitCodes.ok)
}

/** Hands over what is left, and tells the exit code: a command whose output could not be written has not succeeded. */
async function finishOutput(output: Output, code: number, isStopped = false): Promise<number> {
  await output.flush()
  if (output.failure === undefined) return code
  output.note(`error: Cannot write to stdout: ${output.failure}`)
  await output.flush()
  return code === exitCodes.ok && !isStopped ? exitCodes.bug : code
}

async function runSettled(
  init: ProgramInit,
  { command, config, arguments: operands }: SettledCommand,
  settle: () => Promise<SettledCommand>,
  output: Output,
): Promise<number> {
  const signals = init.signals ?? process
  const exit = init.exit ?? (code => process.exit(code))
  const isHangupIgnored = command.reloads !== true && (init.isHangupIgnored ?? findHangupIgnored())
  const stops = watchStopSignals({
    source: signals,
    names:
      command.reloads === true || isHangupIgnored ? ['SIGINT', 'SIGTERM'] : ['SIGINT', 'SIGTERM', 'SIGHUP'],
    exit,
    onStop: name => {
      // a terminal that was closed is not read; ssh, which ends its ProxyCommand so, has its user read
      if (name !== 'SIGHUP' || !isTerminal(init.stderr ?? process.stderr))
        output.note(`Stopping after ${name}; a second one stops immediately.`)
    },
  })
  // without a listener the signal would end the process
  const onIgnoredHangup = (): void => output.note('SIGHUP is ignored, as this program was started (nohup).')
  if (isHangupIgnored) signals.on('SIGHUP', onIgnoredHangup)
  const { promise: reloadable, resolve: onReload } = Promise.withResolvers<Reload>()
  const reloads =
    command.reloads === true
      ? watchReloads(signals, async () => await reload(settle, await reloadable, output))
      : undefined
  using _descriptors = command.isOngoing === true ? watchDescriptors(output) : undefined
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
    const isStopped = stops.received !== undefined
    const finishing = finishOutput(output, code, isStopped)
    if (!isStopped) return await finishing
    // a supervisor that stops a program may have stopped reading before
    const isFlushed = await Promise.race([finishing.then(() => true), pause(FLUSH_MS, false, { ref: false })])
    if (!isFlushed) exit(code)
    return code
  } finally {
    reloads?.close()
    stops.close()
    signals.off('SIGHUP', onIgnoredHangup)
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
  return code
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

function isTerminal(stream: Writable): boolean {
  return (stream as { isTTY?: boolean }).isTTY === true
}

function widthOf(stream: Writable): number {
  const { columns } = stream as { columns?: unknown }
  return typeof columns === 'number' && columns > 0 ? columns : 100
}
