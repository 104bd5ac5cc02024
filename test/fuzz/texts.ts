/** Generators of text that is nearly right. */

import fc from 'fast-check'
import { textInput } from './surface.ts'
import type { Arbitrary } from 'fast-check'
import type { Input } from './surface.ts'

/** Characters on which parsers split, and some that look like others. */
const SPECIAL = [
  ...Array.from(' \t\r\n\0/:.,;=+-_%#@!&*?|<>[]{}()"\'`\\~^$'),
  'ﬀ',
  'İ',
  '０',
  '\u202e',
  '\ufeff',
  '💥',
  '1e999',
  '0x',
  '-0',
  '__proto__',
  '..',
  '//',
  'NaN',
]

const word = fc.oneof(
  fc.constantFrom(...SPECIAL),
  fc.string({ maxLength: 12, unit: 'binary' }),
  fc.integer().map(String),
)

/** One of the texts, changed in up to four places: something cut out, put in, or repeated. */
export function mutatedText(valid: readonly string[], words: readonly string[] = []): Arbitrary<string> {
  const piece = words.length === 0 ? word : fc.oneof(word, fc.constantFrom(...words))
  const fraction = fc.integer({ min: 0, max: 1_000_000 })
  const edit = fc.record({
    from: fraction,
    length: fc.constantFrom(0, 0, 1, 2, 5, 1000),
    put: piece,
    times: fc.constantFrom(0, 1, 1, 1, 2, 40),
  })
  return fc.tuple(fc.constantFrom(...valid), fc.array(edit, { maxLength: 4 })).map(([text, edits]) =>
    edits.reduce((changed, { from, length, put, times }) => {
      const place = Math.floor((from / 1_000_001) * (changed.length + 1))
      return changed.slice(0, place) + put.repeat(times) + changed.slice(place + length)
    }, text),
  )
}

/** The text as an input. */
export function textInputs(text: Arbitrary<string>): Arbitrary<Input> {
  return text.map(textInput)
}
