/**
 * Option tables: one entry an option, from which flags, environment variables, config file keys, help, defaults
 * and types all come, so that none of them can say something else than the others.
 *
 * The key is the name inside the program. Names outside follow from it by one rule: `dataDir` is `--data-dir`,
 * `THROUGHNAT_DATA_DIR` and `data-dir:`. Keys of quantities end in their unit (`intervalMs`, `limitBytes`,
 * `limitBytesPerSecond`), which outside belongs to the value and so is not part of the name (`--interval 10s`).
 */

import type { Kind } from './kinds/kind.ts'
import type { KindValues } from './kinds/kinds.ts'
import { choiceKind, namedKinds } from './kinds/kinds.ts'

/** What the environment variables of this project start with. */
export const environmentPrefix = 'THROUGHNAT_'

interface OptionBase {
  /** What the option does, for help and documentation: one sentence without a full stop. */
  readonly doc: string
  /** The name outside, in kebab-case, where it does not follow from the key (`relay` for `relays`). */
  readonly name?: string
  /** Stands for the value in help instead of the kind's own word. */
  readonly placeholder?: string
  /** A good value, shown in help and in problems instead of the kind's own example. */
  readonly example?: string
  /** Takes any number of values: a repeated flag, a YAML list, a variable split at spaces and commas. */
  readonly many?: boolean
  /** May be absent: resolves to `undefined`, or to an empty list with `many`. */
  readonly optional?: boolean
  /** Can be given on the command line only. */
  readonly flagOnly?: boolean
}

interface SwitchSpec extends OptionBase {
  readonly kind: 'boolean'
  readonly many?: false
  readonly optional?: false
  /** @default false */
  readonly default?: boolean
}

interface NumberSpec extends OptionBase {
  readonly kind: 'integer' | 'port'
  readonly default?: number | readonly number[]
  /** @default 0 */
  readonly min?: number
  readonly max?: number
}

interface ChoiceSpec extends OptionBase {
  readonly kind: 'choice'
  readonly choices: readonly string[]
  readonly default?: string | readonly string[]
}

interface TextSpec extends OptionBase {
  readonly kind: Exclude<keyof KindValues, 'boolean' | 'integer' | 'port'> | Kind<unknown>
  /** As a person would type it. */
  readonly default?: string | readonly string[]
  /** Least value of a quantity, as a person would type it. */
  readonly min?: string
  /** Greatest value of a quantity, as a person would type it. */
  readonly max?: string
}

/** One option. Without `default` and `optional` it is required; a switch is off unless its default is `true`. */
export type OptionSpec = SwitchSpec | NumberSpec | ChoiceSpec | TextSpec

/** The options of a command, by the name they have inside the program. */
export type OptionTable = Readonly<Record<string, OptionSpec>>

type ValueOf<S> = S extends { kind: 'choice'; choices: readonly (infer C)[] }
  ? C
  : S extends { kind: infer N extends keyof KindValues }
    ? KindValues[N]
    : S extends { kind: Kind<infer T> }
      ? T
      : never

type ResolvedOption<S> = S extends { many: true }
  ? readonly ValueOf<S>[]
  : S extends { optional: true }
    ? ValueOf<S> | undefined
    : ValueOf<S>

/** A table's values: all there, parsed, in the units that their keys name. */
export type Resolved<T extends OptionTable> = { readonly [K in keyof T]: ResolvedOption<T[K]> }

/** An option with all of its names. */
export interface NamedOption {
  readonly key: string
  /** The key in the config file, and the flag without its hyphens. */
  readonly name: string
  readonly flag: string
  readonly variable: string
  readonly spec: OptionSpec
  readonly kind: Kind<unknown>
}

/** Makes the name of an environment variable from that of an option: `data-dir` is `THROUGHNAT_DATA_DIR`. */
export function variableOf(name: string): string {
  return environmentPrefix + name.toUpperCase().replaceAll('-', '_')
}

const unitSuffixes: Readonly<Record<string, string>> = {
  duration: 'Ms',
  size: 'Bytes',
  rate: 'BytesPerSecond',
}

/**
 * Lists the options of a table with their names.
 *
 * @throws {Error} when two options share a name, or the key of a quantity lacks its unit
 */
export function nameOptions(table: OptionTable): NamedOption[] {
  const named = Object.entries(table).map(([key, spec]) => nameOption(key, spec))
  const seen = new Set<string>()
  for (const { key, name } of named) {
    if (seen.has(name)) throw new Error(`The option table has two options called ${name} (one is ${key}).`)
    seen.add(name)
  }
  return named
}

function nameOption(key: string, spec: OptionSpec): NamedOption {
  const suffix = typeof spec.kind === 'string' ? (unitSuffixes[spec.kind] ?? '') : ''
  if (!key.endsWith(suffix)) throw new Error(`The option ${key} measures something: call it ${key}${suffix}.`)
  const name = spec.name ?? kebabCase(key.slice(0, key.length - suffix.length))
  return { key, name, flag: `--${name}`, variable: variableOf(name), spec, kind: kindOf(spec) }
}

function kindOf(spec: OptionSpec): Kind<unknown> {
  if (spec.kind === 'choice') return choiceKind(spec.choices)
  return typeof spec.kind === 'string' ? namedKinds[spec.kind] : spec.kind
}

function kebabCase(camelCase: string): string {
  return camelCase.replace(/[A-Z]/g, capital => `-${capital.toLowerCase()}`)
}
