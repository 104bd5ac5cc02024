/**
 * Reads a configuration file: YAML (and so JSON), one mapping of option names to values or lists of values.
 *
 * Only that shape is walked: aliases are refused rather than expanded, so no file is larger in memory than it looks.
 * Values stay the text they were written as, so that `0x10`, `1e3` and `yes` mean what they mean in a flag.
 */

import { dirname } from 'node:path'
import type { Pair, ParsedNode, YAMLError } from 'yaml'
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import { readWithin } from '../files/bounded-read.ts'
import { integrityFault } from '../files/integrity.ts'
import { decodeText } from '../files/text-file.ts'
import { expandPath, NoHomeError, placeAt } from './paths.ts'
import type { ConfigProblem } from '../errors.ts'

/**
 * Largest configuration file that is read, in bytes. It holds some 4000 peer ids; the parser takes seconds for a
 * hostile file of a megabyte.
 */
export const longestFileBytes = 256 * 1024

/** One key of a configuration file with its value or values, not yet held against any option table. */
interface ConfigEntry {
  readonly name: string
  /** Path and line, such as `relay.yaml:3`. */
  readonly where: string
  readonly isList: boolean
  readonly items: readonly { readonly where: string; readonly text: string }[]
}

/** What a configuration file says. */
export interface ConfigFile {
  /** The folder that relative paths in the file start from. */
  readonly directory: string
  readonly entries: readonly ConfigEntry[]
  readonly problems: readonly ConfigProblem[]
}

type Place = (offset: number | undefined) => string

/**
 * Reads a configuration file. Whatever is wrong with it is among the problems of the result; nothing is thrown.
 *
 * @param path - as the person wrote it; it is shown in problems
 * @param directory - the folder that a relative `path` starts from. @default the working directory
 */
export async function readConfigFile(path: string, directory?: string): Promise<ConfigFile> {
  try {
    const absolute = expandPath(path, placeAt(directory))
    const text = await readText(absolute)
    // its owner need not be this user: in a container it is often one of the host
    const fault = await integrityFault(absolute, { isOwnerFree: true, isModeFree: true })
    if (fault !== undefined)
      return { directory: dirname(absolute), entries: [], problems: [{ where: path, what: fault }] }
    return parseConfigFile(text, path, dirname(absolute))
  } catch (error) {
    return { directory: '/', entries: [], problems: [{ where: path, what: readingFault(error) }] }
  }
}

/** Parses the text of a configuration file; `label` stands for the file in problems. */
export function parseConfigFile(text: string, label: string, directory: string): ConfigFile {
  const lineCounter = new LineCounter()
  const place: Place = offset => `${label}:${Math.max(1, lineCounter.linePos(offset ?? 0).line)}`
  const document = parseDocument(text, {
    lineCounter,
    logLevel: 'error',
    // The parser's own messages quote the file, which may hold secrets.
    prettyErrors: false,
    // Compares every key with every other; a set does it below.
    uniqueKeys: false,
  })
  const fault = document.errors[0] ?? document.warnings[0]
  if (fault !== undefined) {
    return { directory, entries: [], problems: [{ where: place(fault.pos[0]), what: syntaxFault(fault) }] }
  }
  const root = document.contents
  if (root === null || (isScalar(root) && root.value === null))
    return { directory, entries: [], problems: [] }
  if (!isMap(root)) {
    const what = 'a configuration file is a mapping of option names to values, for example data-dir: ./data'
    return { directory, entries: [], problems: [{ where: place(root.range[0]), what }] }
  }
  return { directory, ...readMapping(root.items, place) }
}

function readMapping(
  pairs: readonly Pair<ParsedNode, ParsedNode | null>[],
  place: Place,
): Pick<ConfigFile, 'entries' | 'problems'> {
  const entries: ConfigEntry[] = []
  const problems: ConfigProblem[] = []
  const lines = new Map<string, string>()
  for (const { key, value } of pairs) {
    const where = place(key.range[0])
    if (!isScalar(key)) {
      problems.push({ where, what: 'the name of an option is a plain word' })
      continue
    }
    const name = String(key.value)
    const earlier = lines.get(name)
    if (earlier === undefined) lines.set(name, where)
    else problems.push({ where, what: `${JSON.stringify(name)} was given before, at ${earlier}` })

    const nodes = isSeq(value) ? (value.items as readonly ParsedNode[]) : [value]
    const items: { where: string; text: string }[] = []
    for (const node of nodes) {
      const text = readScalar(node)
      const itemWhere = place(node?.range[0] ?? key.range[0])
      if (text.what === undefined) items.push({ where: itemWhere, text: text.text })
      else problems.push({ where: itemWhere, what: `${name} ${text.what}` })
    }
    entries.push({ name, where, isList: isSeq(value), items })
  }
  return { entries, problems }
}

type Scalar = { text: string; what?: undefined } | { what: string }

function readScalar(node: ParsedNode | null): Scalar {
  if (isAlias(node))
    return {
      what: 'is an alias, and aliases are not read; write the value, or put it in quotes if it begins with *',
    }
  if (node === null || (isScalar(node) && node.value === null)) {
    return { what: 'has no value; remove the line or give one' }
  }
  if (!isScalar(node)) return { what: 'takes a value or a list of values, and nothing nested' }
  return { text: typeof node.value === 'string' ? node.value : (node.source ?? String(node.value)) }
}

async function readText(path: string): Promise<string> {
  return decodeText(await readWithin(path, longestFileBytes), { fatal: true })
}

function readingFault(error: unknown): string {
  if (error instanceof RangeError || error instanceof NoHomeError) return error.message
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ENOENT') return 'there is no such configuration file; check the path'
  if (code === 'EACCES' || code === 'EPERM')
    return 'the configuration file may not be read; check its permissions'
  if (code === 'EISDIR') return 'a configuration file was expected, and this is a folder'
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'the configuration file is not UTF-8 text'
  return `the configuration file cannot be read (${code || String(error)})`
}

function syntaxFault(fault: YAMLError): string {
  switch (fault.code) {
    case 'RESOURCE_EXHAUSTION':
      return 'not readable as YAML: nested too deeply'
    case 'BAD_DQ_ESCAPE':
      return 'not readable as YAML: invalid escape sequence in double quotes'
    case 'BAD_SCALAR_START':
      return `not readable as YAML: ${lowerFirst(fault.message)}; put the value in quotes`
    case 'UNEXPECTED_TOKEN':
      if (fault.message.startsWith('Unexpected scalar at node end'))
        return 'not readable as YAML: text after the end of a value; put a value that begins with [ or { in quotes, as in "[::1]:8080"'
      return `not readable as YAML: ${lowerFirst(fault.message.split(/: | %/)[0] ?? '')}`
    case 'TAG_RESOLVE_FAILED':
    case 'BAD_DIRECTIVE':
      // What follows the colon (or the % of a directive) is quoted from the file.
      return `not readable as YAML: ${lowerFirst(fault.message.split(/: | %/)[0] ?? '')}`
    default:
      return `not readable as YAML: ${lowerFirst(fault.message)}`
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
