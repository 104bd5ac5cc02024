/**
 * Inputs that once found a fault, as small text files: `corpus/<surface>/<entry>/<name>.hex`, one piece a line.
 * A line may repeat a byte: `80*8` is eight times 0x80. Lines that begin with `#` are comments.
 */

import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Input } from './surface.ts'

const DIRECTORY = fileURLToPath(new URL('corpus', import.meta.url))

/** An input that is kept. */
export interface KeptInput {
  readonly name: string
  readonly input: Input
}

/** All inputs that are kept for an entry, in order. */
export function keptInputs(surface: string, entry: string): KeptInput[] {
  const directory = join(DIRECTORY, surface, entry)
  let names: string[]
  try {
    names = readdirSync(directory)
      .filter(it => it.endsWith('.hex'))
      .toSorted()
  } catch {
    return [] // nothing was found there so far
  }
  return names.map(name => ({
    name: name.replace(/\.hex$/, ''),
    input: parseInput(readFileSync(join(directory, name), 'utf8')),
  }))
}

/** Keeps an input. Returns the path of its file. */
export function keepInput(surface: string, entry: string, input: Input, why: string): string {
  const text = `${why
    .split('\n')
    .map(line => `# ${line}`)
    .join('\n')}\n${input.map(printPiece).join('\n')}\n`
  const name = createHash('sha256').update(Buffer.concat(input)).digest('hex').slice(0, 12)
  const directory = join(DIRECTORY, surface, entry)
  mkdirSync(directory, { recursive: true })
  const path = join(directory, `${name}.hex`)
  writeFileSync(path, text)
  return relative(process.cwd(), path)
}

/** Reads the text of a file. @throws {Error} if a line has neither bytes nor a comment */
function parseInput(text: string): Input {
  return text
    .split('\n')
    .filter(line => !line.startsWith('#') && line.trim() !== '')
    .map(line => Buffer.concat(line.trim().split(/\s+/).map(parseRun)))
}

function parseRun(word: string): Buffer {
  const [, hex = '', times = '1'] = /^((?:[0-9a-f]{2})+|-)(?:\*(\d+))?$/.exec(word) ?? []
  if (hex === '') throw new Error(`${JSON.stringify(word)} is neither hexadecimal bytes nor a repetition`)
  const bytes = hex === '-' ? Buffer.alloc(0) : Buffer.from(hex, 'hex')
  return Buffer.concat(Array.from({ length: Number(times) }, () => bytes))
}

/** `-` stands for an empty piece. Runs of one byte are shortened. */
function printPiece(piece: Uint8Array): string {
  if (piece.byteLength === 0) return '-'
  const hex = Buffer.from(piece).toString('hex')
  return hex
    .replaceAll(/(?<=^(?:..)*)(..)\1{7,}/g, (run, byte: string) => ` ${byte}*${run.length / 2} `)
    .trim()
}
