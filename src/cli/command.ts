/**
 * What a command is to this mechanism: a name, tables for its options and arguments, and a function to run.
 *
 * A command writes through its output, stops when its signal fires, and tells failure by throwing; it sets no exit
 * code and listens to no process signal itself.
 */

import type { Readable } from 'node:stream'
import type { OptionTable, Resolved } from '../config/options.ts'
import type { StopSignal } from './exit-codes.ts'
import type { Output } from './output.ts'

/** What a running command has besides its options. */
export interface CommandContext<T extends OptionTable = OptionTable, A extends OptionTable = OptionTable> {
  /** The positional arguments, parsed. */
  readonly arguments: Resolved<A>
  readonly output: Output
  /** Fires at the first SIGINT, SIGTERM or, unless the command reloads, SIGHUP, and when nobody reads stdout any more: finish what must be, and return. */
  readonly signal: AbortSignal
  readonly stdin: Readable
  /** Tells which of the signals came, once one did. */
  readonly stoppedBy: () => StopSignal | undefined
  /**
   * For a command that reloads, once: calls back with the configuration as it is now, read again, whenever SIGHUP comes, or has come before. What is
   * wrong with it is reported, and nothing is called.
   */
  readonly onReload: (listener: (config: Resolved<T>) => Promise<void>) => void
}

/** The value of an option that follows from another. */
export interface ImpliedValue {
  /** As a person would type it. */
  readonly text: string
  /** Which other: `--profile public`. */
  readonly from: string
}

/** A command as it is written down. */
export interface CommandSpec<T extends OptionTable, A extends OptionTable> {
  readonly name: string
  /** One sentence for the list of commands and the head of the help. */
  readonly summary: string
  /**
   * Positional arguments in their order; `optional` and `many` ones come last. In usage an argument is its key in
   * capitals (`TARGET`), or its `placeholder`.
   */
  readonly arguments?: A
  readonly options: T
  /** Complete command lines with addresses from RFC 5737; help shows them. At least one. */
  readonly examples: readonly string[]
  /** What holds for options that were not given because of others that were, by key; `--explain` shows it. */
  readonly implied?: (config: Resolved<T>) => Readonly<Record<string, ImpliedValue>>
  /** Whether SIGHUP has it read its configuration again, see {@link CommandContext.onReload}; otherwise it stops it, as when a terminal is closed. */
  readonly reloads?: boolean
  /** Whether it runs until it is stopped: what it prints is news and no result, and `--quiet` leaves it out. `--json` is not affected. */
  readonly isOngoing?: boolean
  /** Signals that are the ordinary end of this command: with one of them the exit code is 0. */
  readonly endsWith?: readonly StopSignal[]
  /**
   * Does the work. Returns when it is done or `context.signal` fired.
   *
   * @throws {Error} any error; `src/cli/exit-codes.ts` maps it to the exit code
   */
  run(config: Resolved<T>, context: CommandContext<T, A>): Promise<void> | void
}

/** A command whose tables have been forgotten by the type system, so that a list can hold several. */
export type Command = CommandSpec<OptionTable, OptionTable>

/** Ties a command's tables to the types that its `run` gets. */
export function defineCommand<
  const T extends OptionTable,
  const A extends OptionTable = Readonly<Record<never, never>>,
>(spec: CommandSpec<T, A>): Command {
  // Sound because a program passes to `run` nothing but what it resolved from these very tables.
  return spec as unknown as Command
}

/** A positional argument with the word that stands for it. */
export interface PlacedArgument {
  readonly key: string
  readonly placeholder: string
  readonly doc: string
  readonly isMany: boolean
  readonly isRequired: boolean
}

/** Lists the positional arguments of a command in their order. */
export function placeArguments(command: Command): PlacedArgument[] {
  return Object.entries(command.arguments ?? {}).map(([key, spec]) => ({
    key,
    placeholder: spec.placeholder ?? key.replace(/[A-Z]/g, '_$&').toUpperCase(),
    doc: spec.doc,
    isMany: spec.many === true,
    isRequired: spec.optional !== true && spec.default === undefined,
  }))
}
