/** What the fuzzer drives: places where bytes of a stranger come in. */

import { Buffer } from 'node:buffer'
import type { Arbitrary } from 'fast-check'

/** One input: what the hostile side sends, piece by piece. A text is one piece of UTF-8. */
export type Input = readonly Uint8Array[]

/** Hands over one input. It resolves when the answer has come, and throws if the answer is none of those allowed. */
export type Feed = (input: Input) => void | Promise<void>

/** What a target starts belongs to this, and is released in reverse order. */
export interface Stage {
  after(release: () => unknown): void
  readonly signal: AbortSignal
}

/** One place. */
export interface Entry {
  /** Lowercase words with dashes, unique within the surface. */
  readonly name: string
  /** Structured inputs, most of them nearly right. */
  readonly inputs: Arbitrary<Input>
  /** Inputs as honest programs send them. Their processor time is the baseline. */
  readonly valid: readonly Input[]
  /** Starts what reads the inputs. */
  start(stage: Stage): Feed | Promise<Feed>
}

/** Entries that belong together and run in one process. */
export interface Surface {
  readonly name: string
  readonly entries: readonly Entry[]
}

/** Runs a reader, and accepts errors that it throws on purpose. */
export function allow(names: readonly string[], read: () => unknown): void {
  try {
    read()
  } catch (error) {
    assertAllowed(names, error)
  }
}

/** Throws the error unless its name is among those. */
export function assertAllowed(names: readonly string[], error: unknown): void {
  const { name, message } = error as Error
  // what wrong code throws has the same name as what a parser throws
  const isFault =
    /Cannot read propert|is not a function|is not iterable|Maximum call stack|Cannot access|Invalid array length/.test(
      message,
    )
  if (isFault || !names.includes(name)) throw error
}

/** One piece of text. */
export function textInput(text: string): Input {
  return [Buffer.from(text)]
}

/** The pieces as one. */
export function joined(input: Input): Buffer {
  return Buffer.concat(input)
}
