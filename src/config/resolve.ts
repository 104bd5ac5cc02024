/**
 * Turns an option table and everything that was given into one frozen configuration.
 *
 * Precedence, weakest first: built in, file, environment, flag. Every value is checked, also one that a
 * stronger source overrides, and all problems of all sources are thrown at once.
 */

import { InvalidConfigError, UsageError } from '../errors.ts'
import type { ConfigFile } from './file.ts'
import type { Findings, FoundProblem, Given, GivenFlag, Source } from './given.ts'
import { printValue } from './kinds/kind.ts'
import type { NamedOption, OptionTable, Resolved } from './options.ts'
import { nameOptions, variableOf } from './options.ts'
import { exampleOf, readFileSource, readFlagSource } from './sources.ts'
import { readEnvironmentSource } from './environment.ts'
import type { EnvironmentFindings } from './environment.ts'
import { ValueReader } from './value-reader.ts'

/** Where values may come from. What is left out gives nothing. */
export interface Sources {
  readonly file?: ConfigFile | undefined
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly flags?: readonly GivenFlag[]
  /** Names (as in `data-dir`) of options of other commands, which the file may hold. */
  readonly otherNames?: readonly string[]
  /** The folder that relative paths start from. @default the working directory */
  readonly directory?: string | undefined
}

/** Where the value of an option came from, and how it is written. */
export interface Origin {
  readonly source: Source
  /** `--port`, `THROUGHNAT_PORT`, `relay.yaml:3` or `built in`. */
  readonly where: string
  /** One text a value; empty when there is no value. */
  readonly texts: readonly string[]
}

/** A configuration and the origin of each of its values. */
export interface Resolution<T extends OptionTable> {
  readonly config: Resolved<T>
  readonly origins: ReadonlyMap<string, Origin>
}

/** Resolves a table. The caller throws the problems; with any, the configuration has holes. */
export function examineOptions<const T extends OptionTable>(
  table: T,
  sources: Sources,
): { resolution: Resolution<T>; problems: FoundProblem[]; warnings: string[] } {
  const options = nameOptions(table)
  const findings = readSources(options, sources)
  const problems = findings.flatMap(found => found.problems)
  const warnings = findings.flatMap(found => found.warnings ?? [])
  const config: Record<string, unknown> = {}
  const origins = new Map<string, Origin>()
  const reader = new ValueReader(sources.directory, problems)
  for (const option of options) {
    const candidates = findings.flatMap(found => found.given.filter(given => given.option.key === option.key))
    // Weakest first, so the last one counts; each is read, so that no wrong value hides behind a stronger source.
    if (candidates.length === 0) candidates.push(builtIn(option))
    let [chosen, values]: [Given, unknown[]] = [builtIn(option), []]
    for (const candidate of candidates) [chosen, values] = [candidate, reader.read(candidate)]
    if (isMissing(option, chosen, sources.flags)) problems.push(missing(option))
    config[option.key] = option.spec.many === true ? Object.freeze(values) : values[0]
    origins.set(option.key, originOf(chosen, values))
  }
  return { resolution: { config: Object.freeze(config) as Resolved<T>, origins }, problems, warnings }
}

/** Throws problems, if there are any, as the error whose exit code is right for all of them together. */
export function throwProblems(problems: readonly FoundProblem[]): void {
  if (problems.length === 0) return
  const error = new InvalidConfigError(problems.map(({ where, what }) => ({ where, what })))
  if (problems.some(({ isUsage }) => isUsage)) throw new UsageError(error.message, { cause: error })
  throw error
}

function readSources(
  options: readonly NamedOption[],
  sources: Sources,
): Array<Findings & Partial<EnvironmentFindings>> {
  const { file, environment = {}, flags = [], otherNames = [] } = sources
  return [
    ...(file === undefined ? [] : [readFileSource(file, options, otherNames)]),
    readEnvironmentSource(environment, options, otherNames.map(variableOf)),
    readFlagSource(flags, options),
  ]
}

function builtIn(option: NamedOption): Given {
  const { key, spec } = option
  const values = [spec.default ?? (spec.kind === 'boolean' ? false : [])].flat()
  const items = values.map(value => ({ where: key, text: String(value) }))
  return { option, source: 'built in', where: key, isList: spec.many === true, items }
}

function isMissing({ key, spec }: NamedOption, chosen: Given, flags: readonly GivenFlag[] = []): boolean {
  if (spec.default !== undefined || spec.optional === true || spec.kind === 'boolean') return false
  // A flag without its value has been reported as that.
  return chosen.items.length === 0 && !flags.some(flag => flag.key === key)
}

/** Counts as usage: the usual way to give a required option is its flag. */
function missing(option: NamedOption): FoundProblem {
  const { flag, spec } = option
  const times = spec.many === true ? ' at least once' : ''
  return { where: flag, what: `is required${times}, for example ${flag} ${exampleOf(option)}`, isUsage: true }
}

function originOf({ option, source, where }: Given, values: readonly unknown[]): Origin {
  const texts = values.map(value => printValue(option.kind, value))
  return { source, where: source === 'built in' ? 'built in' : where, texts }
}
