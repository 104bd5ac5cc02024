/**
 * Resolves what a command needs before it runs: its options from all sources, and its arguments.
 *
 * Problems are reported after everything was checked, so one run shows all of them.
 */

import type { ConfigFile } from '../../config/file.ts'
import { plainValue } from '../../config/environment.ts'
import type { GivenFlag } from '../../config/given.ts'
import type { OptionTable, Resolved } from '../../config/options.ts'
import { nameOptions, variableOf } from '../../config/options.ts'
import type { Resolution } from '../../config/resolve.ts'
import { examineOptions, throwProblems } from '../../config/resolve.ts'
import type { Command } from '../command.ts'
import type { ParsedCommandLine } from './command-line.ts'
import { withGlobalOptions } from './global-options.ts'
import { readOperands } from './operands.ts'

/** The inputs besides the command line. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The folder that relative paths start from. @default the working directory */
  readonly directory: string | undefined
  /** All commands of the program. Options of other commands are ignored. */
  readonly commands: readonly Command[]
}

/** A command that is ready to run. */
export interface SettledCommand {
  readonly command: Command
  readonly config: Resolved<OptionTable>
  readonly arguments: Resolved<OptionTable>
  readonly globals: {
    readonly json: boolean
    readonly quiet: boolean
    readonly explain: boolean
    readonly checkConfig: boolean
  }
  /** The options of the command and the global ones. */
  readonly table: OptionTable
  readonly resolution: Resolution<OptionTable>
  /** One sentence for each thing that was ignored. */
  readonly warnings: readonly string[]
}

type Run = Extract<ParsedCommandLine, { kind: 'run' }>

/**
 * Resolves a command.
 *
 * @throws {UsageError} if the command line has a problem
 * @throws {InvalidConfigError} if only the file or the environment has problems
 */
export async function settleCommand(run: Run, surroundings: Surroundings): Promise<SettledCommand> {
  const { command, flags } = run
  if (command === undefined) {
    throwProblems(run.problems)
    throw new Error('The command line has neither a command nor a problem.')
  }
  const { environment, directory } = surroundings
  const table = withGlobalOptions(command.options)
  const { resolution, problems, warnings } = examineOptions(table, {
    file: await readGivenFile(flags, surroundings),
    environment,
    flags,
    otherNames: namesOf(surroundings.commands),
    directory,
  })
  const operands = readOperands(command, run, { directory, isComplete: resolution.config.explain !== true })
  throwProblems([...run.problems, ...operands.problems, ...problems])

  const config = Object.fromEntries(Object.keys(command.options).map(key => [key, resolution.config[key]]))
  return {
    command,
    config: Object.freeze(config) as Resolved<OptionTable>,
    arguments: operands.values,
    globals: {
      json: resolution.config.json === true,
      quiet: resolution.config.quiet === true,
      explain: resolution.config.explain === true,
      checkConfig: resolution.config.checkConfig === true,
    },
    table,
    resolution,
    warnings,
  }
}

async function readGivenFile(
  flags: readonly GivenFlag[],
  { environment, directory }: Surroundings,
): Promise<ConfigFile | undefined> {
  const given = flags.findLast(({ key, text }) => key === 'config' && text !== undefined)?.text
  const path = given ?? plainValue(environment[variableOf('config')])
  // an empty flag is reported with the other flags; an empty variable counts as not set
  if (path.trim() === '') return undefined
  const { readConfigFile } = await import('../../config/file.ts')
  return await readConfigFile(path, directory)
}

function namesOf(commands: readonly Command[]): string[] {
  return commands.flatMap(({ options }) => nameOptions(options).map(({ name }) => name))
}
