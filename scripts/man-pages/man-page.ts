/**
 * Writes the manual page of a program from the same tables as its help, in the man macros.
 *
 * Spec: man(7), groff_man(7)
 */

import { describeTable } from '../../src/config/describe.ts'
import type { OptionDescription } from '../../src/config/describe.ts'
import type { Command } from '../../src/cli/command.ts'
import { placeArguments } from '../../src/cli/command.ts'
import type { ProgramDescription } from '../../src/cli/command-line/command-line.ts'
import { commandsOf } from '../../src/cli/command-line/command-line.ts'
import { globalOptions } from '../../src/cli/command-line/global-options.ts'

/** What a manual page says besides what the tables do. */
export interface ManPageInit extends ProgramDescription {
  /** Files that the program uses, and what for. */
  readonly files: ReadonlyMap<string, string>
  /** Other pages and documents. */
  readonly seeAlso: readonly string[]
}

/** Of the contract: what each exit code says. */
const EXIT_CODES: ReadonlyMap<string, string> = new Map([
  ['0', 'success'],
  ['1', 'a bug'],
  ['2', 'the command line cannot be understood'],
  ['3', 'the configuration, the environment or this machine does not allow it'],
  ['4', 'the remote peer, the service or the node cannot be reached'],
  ['5', 'under --until-direct, the path stayed relayed'],
  ['129, 130, 143', 'ended by SIGHUP, SIGINT or SIGTERM'],
])

/** Writes the page, of section 1. */
export function manPage(program: ManPageInit): string {
  const { name, version, description, files, seeAlso } = program
  const commands = commandsOf(program)
  const isSingle = 'run' in program.commands
  const lines = [
    `.TH ${name.toUpperCase()} 1 "" "throughnat ${version}" "User Commands"`,
    '.SH NAME',
    `${text(name)} \\- ${text(description)}`,
    '.SH SYNOPSIS',
    ...commands.flatMap(command => synopsis(name, command, isSingle)),
    ...(isSingle ? options(commands[0]) : ['.SH COMMANDS', ...commands.flatMap(section)]),
    '.SH OPTIONS OF EVERY COMMAND',
    ...describeTable(globalOptions).flatMap(entry),
    ...item('--help', 'Show help'),
    ...item('--version', 'Show the version'),
    '.SH CONFIGURATION',
    text(
      'Every option can also be set in the environment, in the variable that stands beside it, or in the file that --config names (YAML or JSON), under its name without the hyphens.',
    ),
    text(
      'Flags win over the environment, which wins over the file. Durations and sizes have units: 10s, 128KiB.',
    ),
    '.SH EXIT STATUS',
    ...[...EXIT_CODES].flatMap(([code, meaning]) => item(code, meaning)),
    '.SH FILES',
    ...[...files].flatMap(([path, meaning]) => item(path, meaning)),
    ...(isSingle ? ['.SH EXAMPLES', ...examples(commands[0])] : []),
    '.SH SEE ALSO',
    text(seeAlso.join(', ')),
  ]
  return `${lines.join('\n')}\n`
}

function synopsis(program: string, command: Command, isSingle: boolean): string[] {
  const places = placeArguments(command).map(({ placeholder, isMany, isRequired }) => {
    const word = isMany ? `${placeholder}...` : placeholder
    return isRequired ? word : `[${word}]`
  })
  const words = [...(isSingle ? [] : [command.name]), ...places, '[OPTIONS]'].join(' ')
  return [`.B ${text(program)}`, text(words), '.br']
}

function section(command: Command): string[] {
  return [
    `.SS ${text(command.name)}`,
    text(command.summary),
    ...operands(command),
    ...options(command),
    ...examples(command),
  ]
}

function operands(command: Command): string[] {
  return placeArguments(command).flatMap(({ placeholder, doc }) => item(placeholder, doc))
}

function options(command: Command | undefined): string[] {
  return command === undefined ? [] : ['.PP', ...describeTable(command.options).flatMap(entry)]
}

function entry({ usage, doc, variable, default: fallback }: OptionDescription): string[] {
  const notes = [fallback === undefined ? '' : `default: ${fallback}`, variable ?? ''].filter(it => it !== '')
  return item(usage, notes.length === 0 ? doc : `${doc} (${notes.join('; ')})`)
}

function examples(command: Command | undefined): string[] {
  return ['.PP', '.nf', '.RS', ...(command?.examples ?? []).map(text), '.RE', '.fi']
}

function item(head: string, body: string): string[] {
  return ['.TP', `.B ${text(head)}`, text(body)]
}

/** A line of text: backslashes and hyphens as they are, and no line that is taken for a macro. */
function text(line: string): string {
  const escaped = line.replaceAll('\\', '\\e').replaceAll('-', '\\-')
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped
}
