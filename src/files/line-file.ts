/**
 * Files with one entry per line: rules, names, relays, tokens. All of them have the same syntax. A `#` at the start of a
 * line, or after white space, begins a comment; blank lines are skipped. A file that another user can change is refused,
 * because its entries decide who may do what.
 */

import { InvalidConfigError } from '../errors.ts'
import { integrityFault } from './integrity.ts'
import { linesIn, readTextFile } from './text-file.ts'
import type { ConfigProblem } from '../errors.ts'

/**
 * Makes an entry of a line without its comment and without white space around it.
 *
 * @param where - `PATH:LINE`
 * @throws an error whose message says what is wrong with the line
 */
type ParseLine<T> = (line: string, where: string) => T

/**
 * Reads a file and parses its lines.
 *
 * @param option - the option that named the file
 * @throws {InvalidConfigError} if the file cannot be read, or another user can change it; otherwise with each line that
 * `parse` does not accept
 */
export async function readLineFile<T>(path: string, option: string, parse: ParseLine<T>): Promise<T[]> {
  let text: string
  let fault: string | undefined
  try {
    text = await readTextFile(path)
    fault = await integrityFault(path, { isModeFree: true })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const what = `${path} cannot be read (${code ?? message})`
    throw new InvalidConfigError([{ where: option, what }], { cause: error })
  }
  if (fault !== undefined) throw new InvalidConfigError([{ where: option, what: fault }])
  return parseLines(text, path, parse)
}

/** Parses the lines of a text that was read from `path`. Throws as {@link readLineFile} does for a line. */
function parseLines<T>(text: string, path: string, parse: ParseLine<T>): T[] {
  const entries: T[] = []
  const problems: ConfigProblem[] = []
  for (const [index, raw] of linesIn(text).entries()) {
    const line = raw.replace(/(^|\s)#.*$/, '').trim()
    if (line === '') continue
    const where = `${path}:${index + 1}`
    try {
      entries.push(parse(line, where))
    } catch (error) {
      problems.push({ where, what: (error as Error).message })
    }
  }
  if (problems.length > 0) throw new InvalidConfigError(problems)
  return entries
}
