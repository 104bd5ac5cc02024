/**
 * What the sources of configuration have in common: values as they were given, and problems as they were found.
 *
 * Every value carries its place, so that a problem (and `--explain`) can name it.
 */

import type { ConfigProblem } from '../errors.ts'
import type { NamedOption } from './options.ts'

/** Where a value can come from, weakest first. */
export type Source = 'built in' | 'file' | 'environment' | 'flag'

/** One value as it was given. */
export interface GivenItem {
  readonly where: string
  readonly text: string
  /** The folder that a relative path starts from, where it is not that of the command. */
  readonly directory?: string
}

/** Everything one source gives to one option. */
export interface Given {
  readonly option: NamedOption
  readonly source: Source
  /** The place, as a person would look for it: `--port`, `THROUGHNAT_PORT`, `relay.yaml:3`. */
  readonly where: string
  /** Whether it was written as a list; a single value for a list option is a list of one. */
  readonly isList: boolean
  readonly items: readonly GivenItem[]
}

/** A problem, and whether the command line is to blame rather than the file or the environment. */
export interface FoundProblem extends ConfigProblem {
  readonly isUsage: boolean
}

/** What reading one source came to. */
export interface Findings {
  readonly given: Given[]
  readonly problems: FoundProblem[]
}

/** One flag as it stood on the command line. */
export interface GivenFlag {
  readonly key: string
  /** The flag as it was written, `--no-mdns` included. */
  readonly flag: string
  /** `true` or `false` for a switch; nothing when the value is missing. */
  readonly text: string | undefined
}
