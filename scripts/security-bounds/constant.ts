/** Reads the value of a constant from its source, also where the module does not export it. */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** A number in the source: a bound of what a remote can cause. */
export interface Constant {
  readonly path: string
  readonly value: number
}

/**
 * The number that a source file gives a constant.
 *
 * @param name - of a constant, or of a field of one: `MAX_DIALS`, `GUESSES.capacity`
 * @throws {Error} if there is no such constant, or it is no product or quotient of numbers
 */
export function constantIn(path: string, name: string): Constant {
  const [constant = '', field] = name.split('.')
  const source = readFileSync(`${ROOT}${path}`, 'utf8')
  const [, given = ''] =
    new RegExp(`^(?:export )?const ${constant}(?:: [^=]+)? = ([^]*?)(?:\n\n|$)`, 'm').exec(source) ?? []
  const expression =
    field === undefined ? given.split('\n')[0] : new RegExp(`\\b${field}: ([^,}\n]+)`).exec(given)?.[1]
  const value = evaluate(expression ?? '')
  if (Number.isNaN(value)) throw new Error(`${path} has no number ${name}`)
  return { path, value }
}

/** Factors from left to right, which may be powers: `4 * 1024 * 1024`, `64 * 1024 ** 2`, `1 / 20`. */
function evaluate(expression: string): number {
  if (!/^[\d_.*/ ]+$/.test(expression)) return NaN
  const parts = expression.replaceAll('_', '').split(/ ([*/]|\*\*) /)
  const [first = NaN, ...rest] = parts.flatMap((part, at) => (at % 2 === 0 ? [powerOf(part, parts, at)] : []))
  const operators = parts.filter((_, at) => at % 2 === 1)
  return rest.reduce((value, factor, at) => applied(operators[at], value, factor), first)
}

function powerOf(part: string, parts: readonly string[], at: number): number {
  const base = Number(part)
  return parts[at + 1] === '**' ? base ** Number(parts[at + 2]) : base
}

function applied(operator: string | undefined, value: number, factor: number): number {
  if (operator === '*') return value * factor
  // the power is in the factor before
  return operator === '/' ? value / factor : value
}
