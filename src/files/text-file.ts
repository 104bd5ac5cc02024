/**
 * Text files that people write, on any system: UTF-8, or UTF-16 as Windows PowerShell 5 and some editors write it, with a
 * byte order mark or without.
 */

import { readWithin } from './bounded-read.ts'

/** The longest text file, in bytes: some 250,000 lines with a peer id each. */
const LONGEST_BYTES = 16 * 1024 * 1024

/**
 * Reads a text file.
 *
 * @throws {RangeError} if it is too large
 * @throws what the system says (ENOENT, EACCES, ...)
 */
export async function readTextFile(path: string): Promise<string> {
  return decodeText(await readWithin(path, LONGEST_BYTES))
}

/**
 * Decodes text without its byte order mark.
 *
 * @param options - with `fatal`, bytes that are not UTF-8 throw a TypeError, as those of TextDecoder
 */
export function decodeText(bytes: Uint8Array, options: { fatal?: boolean } = {}): string {
  return new TextDecoder(encodingOf(bytes), options).decode(bytes)
}

/** Takes a text apart into its lines, by the line ends of any system. */
export function linesIn(text: string): string[] {
  return text.split(/\r\n|\r|\n/)
}

/** Text without NUL characters whose first one is plain ASCII has a zero byte there in UTF-16 alone. */
function encodingOf([first, second]: Uint8Array): string {
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) return 'utf-16le'
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0 && second !== undefined))
    return 'utf-16be'
  return 'utf-8'
}
