/**
 * Parses given values, checks their range, and says what is wrong with them: the value, the rule, an example.
 */

import type { FoundProblem, Given, GivenItem, Source } from './given.ts'
import type { NamedOption } from './options.ts'
import { NoHomeError, placeAt } from './paths.ts'
import { exampleOf } from './sources.ts'

/** Parses and checks given values, and writes down what is wrong with them. */
export class ValueReader {
  readonly #directory: string | undefined
  readonly #problems: FoundProblem[]

  constructor(directory: string | undefined, problems: FoundProblem[]) {
    this.#directory = directory
    this.#problems = problems
  }

  /** Returns the good values; what is wrong with the others is among the problems. */
  read(given: Given): unknown[] {
    const { option, where, isList, items } = given
    if (isList && option.spec.many !== true) {
      this.#report(given, where, `takes one value and not a list, for example ${exampleOf(option)}`)
      return []
    }
    return items.flatMap(item => this.#readItem(given, item))
  }

  #readItem(given: Given, item: GivenItem): unknown[] {
    const { option } = given
    try {
      const value = this.#valueOf(option, item)
      const fault = this.#rangeFault(option, value)
      if (fault === undefined) return [value]
      this.#report(given, item.where, fault, item)
    } catch (error) {
      if (error instanceof NoHomeError) {
        this.#problems.push(homeless(given, error))
        return []
      }
      const rule = error instanceof Error && error.message !== '' ? `: ${error.message}` : ''
      this.#report(
        given,
        item.where,
        `is not ${option.kind.noun}${rule}; for example ${exampleOf(option)}`,
        item,
      )
    }
    return []
  }

  #valueOf({ kind }: NamedOption, item: GivenItem): unknown {
    if (item.text.trim() === '') throw new Error('it is empty')
    return kind.parse(item.text, placeAt(item.directory ?? this.#directory))
  }

  #rangeFault({ spec, kind }: NamedOption, value: unknown): string | undefined {
    if (typeof value !== 'number') return undefined
    const limit = (text: number | string | undefined): number | undefined =>
      text === undefined ? undefined : Number(kind.parse(String(text), { directory: '/', home: '/' }))
    const min = 'min' in spec && spec.min !== undefined ? spec.min : undefined
    const max = 'max' in spec && spec.max !== undefined ? spec.max : undefined
    if (value < (limit(min) ?? 0)) return `is too small: ${min ?? 0} is the least`
    if (value > (limit(max) ?? Number.POSITIVE_INFINITY)) return `is too large: ${max ?? ''} is the most`
    return undefined
  }

  #report({ option, source, where: at }: Given, where: string, what: string, item?: GivenItem): void {
    // A place in a file is a line; it does not say which option stands there.
    const subject = source === 'file' ? `${option.name} ` : ''
    if (item === undefined) this.#add(source, at, `${subject}${what}`)
    else this.#add(source, where, `${subject}${quote(item.text)} ${what}`)
  }

  #add(source: Source, where: string, what: string): void {
    if (source === 'built in') throw new Error(`The option table is wrong: the default of ${where} ${what}.`)
    this.#problems.push({ where, what, isUsage: source === 'flag' })
  }
}

/** Not a wrong value, but one that this user cannot have. */
function homeless({ option, source, where }: Given, { message }: NoHomeError): FoundProblem {
  const at = source === 'built in' ? option.flag : where
  return { where: at, what: `${message}; give ${option.name} a path without ~`, isUsage: false }
}

function quote(text: string): string {
  const longest = 120
  return JSON.stringify(text.length > longest ? `${text.slice(0, longest)}...` : text)
}
