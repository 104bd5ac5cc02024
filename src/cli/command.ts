/**
 * The definition of a command: a name, tables for its options and arguments, and a function to run.
 *
 * Rules for commands: write through the output, stop when the signal fires, and throw on failure. Set no exit
 * code, and listen to no process signal.
 */

import type { Readable } from 'node:stream'
import type { OptionTable, Resolved } from '../config/options.ts'
import type { StopSignal } from './exit-codes.ts'
import type { Output } from './output/output.ts'

/** What a running command gets in addition to its options. */
export interface CommandContext<T extends OptionTable = OptionTable, A extends OptionTable = OptionTable> {
  /** The parsed positional arguments. */
  readonly arguments: Resolved<A>
  readonly output: Output
  /**
   * Fires at the first SIGINT, SIGTERM or, unless the command reloads, SIGHUP, and when stdout is closed by
   * its reader. The command should then finish what is necessary, and return.
   */
  readonly signal: AbortSignal
  readonly stdin: Readable
  /** The signal that stopped the command. `undefined` if there was none. */
  readonly stoppedBy: () => StopSignal | undefined
  /**
   * For a command that reloads. Call it once. On each SIGHUP, also an earlier one, `listener` gets the new
   * configuration. If that contains errors, they are printed and `listener` is not called.
   */
  readonly onReload: (listener: (config: Resolved<T>) => Promise<void>) => void
}

/** A value that an option has because of another option. */
export interface ImpliedValue {
  /** In the syntax of the command line. */
  readonly text: string
  /** The other option: `--profile public`. */
  readonly from: string
}

/** A command, as its file defines it. */
export interface CommandSpec<T extends OptionTable, A extends OptionTable> {
  readonly name: string
  /** One sentence for the list of commands and for the head of the help. */
  readonly summary: string
  /**
   * Positional arguments in order. `optional` and `many` ones come last. In the usage an argument appears as
   * its key in capitals (`TARGET`), or as its `placeholder`.
   */
  readonly arguments?: A
  readonly options: T
  /** Complete command lines for the help, with addresses from RFC 5737. At least one. */
  readonly examples: readonly string[]
  /** The values of options that were not given and follow from others, by key. `--explain` shows them. */
  readonly implied?: (config: Resolved<T>) => Readonly<Record<string, ImpliedValue>>
  /**
   * If true, SIGHUP reloads the configuration, see {@link CommandContext.onReload}. Otherwise it stops the
   * command, as when a terminal is closed.
   */
  readonly reloads?: boolean
  /** Whether it runs until it is stopped: what it prints is news and no result, and `--quiet` leaves it out. `--json` is not affected. */
  readonly isOngoing?: boolean
  /** Signals that end this command normally, so that the exit code is 0. */
  readonly endsWith?: readonly StopSignal[]
  /**
   * Does the work. Resolves when it is done or `context.signal` has fired.
   *
   * @throws {Error} any error; `src/cli/exit-codes.ts` maps it to the exit code
   */
  run(config: Resolved<T>, context: CommandContext<T, A>): Promise<void> | void
}

/** A command without the types of its tables, so that a list can contain several. */
export type Command = CommandSpec<OptionTable, OptionTable>

/**
 * The work of a command whose tables are `Options` and `Arguments`, for a module of its own: the help and the completion
 * of a program then load no command's work.
 */
export type CommandRun<
  Options extends OptionTable,
  Arguments extends OptionTable = Readonly<Record<never, never>>,
> = CommandSpec<Options, Arguments>['run']

/** Defines a command. Its tables determine the types that its `run` gets. */
export function defineCommand<
  const T extends OptionTable,
  const A extends OptionTable = Readonly<Record<never, never>>,
>(spec: CommandSpec<T, A>): Command {
  // sound, because a program passes to `run` only what it resolved from these tables
  return spec as unknown as Command
}

/** A positional argument, and the word for it in the usage. */
export interface PlacedArgument {
  readonly key: string
  readonly placeholder: string
  readonly doc: string
  readonly isMany: boolean
  readonly isRequired: boolean
}

/** Lists the positional arguments of a command in order. */
export function placeArguments(command: Command): PlacedArgument[] {
  return Object.entries(command.arguments ?? {}).map(([key, spec]) => ({
    key,
    placeholder: spec.placeholder ?? key.replace(/[A-Z]/g, '_$&').toUpperCase(),
    doc: spec.doc,
    isMany: spec.many === true,
    isRequired: spec.optional !== true && spec.default === undefined,
  }))
}
