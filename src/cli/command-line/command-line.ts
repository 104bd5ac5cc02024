/**
 * Parses a command line with commander. The option tables handle the values.
 *
 * commander stops at the first unknown item. It is configured to accept everything, so that an unknown flag,
 * a missing argument and a bad value in the config file can be reported together.
 */

import { CommanderError, Command as Parser } from 'commander'
import type { FoundProblem, GivenFlag } from '../../config/given.ts'
import { nearestHint } from '../../config/nearest.ts'
import { nameOptions } from '../../config/options.ts'
import type { Command } from '../command.ts'
import { placeArguments } from '../command.ts'
import { withGlobalOptions } from './global-options.ts'
import { describeCommand, describeProgram } from './help.ts'

/** The parts of a program that its command line needs. */
export interface ProgramDescription {
  readonly name: string
  readonly version: string
  readonly description: string
  /** A list defines subcommands. A single command is the program itself. */
  readonly commands: readonly Command[] | Command
}

/** The result of parsing: a text to show, or a command to run. */
export type ParsedCommandLine =
  | { readonly kind: 'show'; readonly text: string; readonly isError: boolean }
  | {
      readonly kind: 'run'
      /** `undefined` if the command is unknown. The problems then say so. */
      readonly command: Command | undefined
      readonly flags: readonly GivenFlag[]
      readonly operands: readonly string[]
      readonly problems: readonly FoundProblem[]
    }

/** Lists the commands of a program. */
export function commandsOf({ commands }: ProgramDescription): readonly Command[] {
  return 'run' in commands ? [commands] : commands
}

/**
 * Parses a command line. Never throws for a wrong one: the result contains the problems.
 *
 * @param argv - the arguments, without the program
 * @param width - the number of columns for help texts
 */
export function parseCommandLine(
  program: ProgramDescription,
  argv: readonly string[],
  width: number,
): ParsedCommandLine {
  const reading = new Reading(program, width)
  try {
    reading.root.parse(argv, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
  }
  return reading.result
}

/** One pass over a command line. */
class Reading {
  readonly root: Parser
  readonly #program: ProgramDescription
  readonly #flags: GivenFlag[] = []
  #shown = ''
  #errors = ''
  #outcome: Extract<ParsedCommandLine, { kind: 'run' }> | undefined

  constructor(program: ProgramDescription, width: number) {
    this.#program = program
    this.root = this.#configure(new Parser(program.name), width)
    if ('run' in program.commands) {
      this.#declare(this.root, program.commands)
      return
    }
    this.#declareOptions(this.root, {})
    describeProgram(this.root, program.description)
    this.root
      .enablePositionalOptions()
      .helpCommand('help [COMMAND]', 'Show help')
      .action(() => this.#endWithoutCommand())
    for (const command of program.commands) {
      this.#declare(this.root.command(command.name), command)
    }
  }

  get result(): ParsedCommandLine {
    if (this.#outcome !== undefined) return this.#outcome
    return this.#errors === ''
      ? { kind: 'show', text: this.#shown, isError: false }
      : { kind: 'show', text: this.#errors, isError: true }
  }

  #configure(parser: Parser, width: number): Parser {
    return parser.exitOverride().configureOutput({
      writeOut: text => {
        this.#shown += text
      },
      writeErr: text => {
        this.#errors += text
      },
      getOutHelpWidth: () => width,
      getErrHelpWidth: () => width,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
  }

  #declare(parser: Parser, command: Command): void {
    this.#declareOptions(parser, command.options)
    describeCommand(parser, command)
    parser.action(() => this.#end(parser, command))
  }

  #declareOptions(parser: Parser, table: Command['options']): void {
    parser.allowUnknownOption().allowExcessArguments()
    for (const { key, name, flag, spec } of nameOptions(withGlobalOptions(table))) {
      const isSwitch = spec.kind === 'boolean'
      // for commander the value is optional, so that a missing one is reported here and does not end the pass
      parser.option(isSwitch ? flag : `${flag} [value]`)
      parser.on(`option:${name}`, (text: string | null | undefined) => {
        this.#flags.push({ key, flag, text: isSwitch ? 'true' : (text ?? undefined) })
      })
      if (!isSwitch || spec.flagOnly === true) continue
      parser.option(`--no-${name}`)
      parser.on(`option:no-${name}`, () => this.#flags.push({ key, flag: `--no-${name}`, text: 'false' }))
    }
    parser.version(this.#program.version, '--version', 'Show the version')
  }

  #end(parser: Parser, command: Command): void {
    const { operands, unknown } = sortArguments(parser.args)
    const problems = unknown.map(argument => unknownFlag(argument, parser))
    const excess = excessOf(command, operands)
    if (excess !== undefined) {
      problems.push({ where: excess, what: 'unexpected argument', isUsage: true })
    }
    this.#outcome = { kind: 'run', command, flags: this.#flags, operands, problems }
  }

  #endWithoutCommand(): void {
    const { operands, unknown } = sortArguments(this.root.args)
    const [first] = operands
    if (unknown.length === 0 && first === undefined) this.root.help({ error: true })
    const problems = unknown.map(argument => {
      const { where, what } = unknownFlag(argument, this.root)
      return { where, what: `${what}; put the options of a command after its name`, isUsage: true }
    })
    if (unknown.length === 0 && first !== undefined) {
      const known = commandsOf(this.#program).map(({ name }) => name)
      problems.push({ where: first, what: `unknown command${nearestHint(first, known)}`, isUsage: true })
    }
    this.#outcome = { kind: 'run', command: undefined, flags: this.#flags, operands: [], problems }
  }
}

/**
 * Nothing after an unknown flag counts as an argument, because it may be the flag's value, and even a secret.
 */
function sortArguments(all: readonly string[]): { operands: string[]; unknown: string[] } {
  const end = all.indexOf('--')
  const [before, after] = end === -1 ? [all, []] : [all.slice(0, end), all.slice(end + 1)]
  const isFlag = (argument: string): boolean => argument.length > 1 && argument.startsWith('-')
  const unknown = before.filter(isFlag)
  const operands = unknown.length === 0 ? [...before, ...after] : before.slice(0, before.findIndex(isFlag))
  return { operands, unknown }
}

function unknownFlag(argument: string, parser: Parser): FoundProblem {
  // only the name: what follows an equals sign may be a secret
  const [where = argument] = argument.split('=', 1)
  const known = parser.options.map(({ long }) => long ?? '')
  if (known.includes(where)) return { where, what: 'takes no value', isUsage: true }
  return { where, what: `unknown flag${nearestHint(where, [...known, '--help'])}`, isUsage: true }
}

function excessOf(command: Command, operands: readonly string[]): string | undefined {
  const places = placeArguments(command)
  return places.some(({ isMany }) => isMany) ? undefined : operands[places.length]
}
