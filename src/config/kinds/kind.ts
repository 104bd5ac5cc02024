/**
 * What it takes to read one kind of option: its words for people and its parser.
 *
 * A kind never sees where a value came from, and its errors name the broken rule only: whoever asked adds the
 * place, the value and an example, so that every problem reads the same.
 */

/** What a text is read against when it does not stand alone. */
export interface ReadingPlace {
  /** The folder that relative paths start from: the working directory, or that of the config file. */
  readonly directory: string
  /** The folder that a leading `~/` stands for. */
  readonly home: string
}

/** One kind of value: a duration, an address, a peer id. */
export interface Kind<T> {
  /** Completes the sentence "... is not", for example `a duration`. */
  readonly noun: string
  /** Stands for the value in help and usage lines, for example `DURATION`. */
  readonly placeholder: string
  /** A text that this kind accepts, shown in help and in every problem. */
  readonly example: string
  /**
   * Reads a text as a person wrote it.
   *
   * @throws {Error} when a rule is broken; the message names the rule, without the value and without a full stop
   */
  parse(text: string, place: ReadingPlace): T
  /** Writes a value the way {@link Kind.parse} would read it. Left out where `String(value)` does that. */
  print?(value: T): string
}

/** Writes a value of a kind as a person would type it. */
export function printValue<T>(kind: Kind<T>, value: T): string {
  return kind.print === undefined ? String(value) : kind.print(value)
}
