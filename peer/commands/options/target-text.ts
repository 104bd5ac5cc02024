/**
 * Finds the target in a text that may have been through a mail, a chat or an editor: comments, quotes and line breaks are
 * not part of it.
 */

import { linesIn } from '../../../src/files/text-file.ts'
import { decodeTicket } from '../../tickets/ticket.ts'
import { looksLikeTicket } from '../../tickets/prefix.ts'

/** Quotation marks of programs and of word processors, and what mail programs put before quoted lines. */
const AROUND = /^[\s>"'`“”„‘’«»\u200B\uFEFF]+|[\s"'`“”„‘’«»\u200B\uFEFF]+$/gu

/** Lines that a wrapped ticket can have. */
const MOST_LINES = 64

/** Returns the target and whether more of the text could change it; undefined for a text without a target. */
export function findTarget(text: string): { target: string; isComplete: boolean } | undefined {
  const lines = linesIn(text)
    .map(line => line.replace(AROUND, ''))
    .filter(line => line !== '' && !line.startsWith('#'))
  const [first] = lines
  if (first === undefined) return undefined
  if (!looksLikeTicket(first)) return { target: first, isComplete: true }
  for (let count = 1; count <= Math.min(lines.length, MOST_LINES); count++) {
    // quoted-printable mail ends a wrapped line with an equals sign
    const joined = lines.slice(0, count).join('').replace(/[\s=]/g, '')
    if (isTicket(joined)) return { target: joined, isComplete: true }
  }
  return { target: first, isComplete: false }
}

function isTicket(text: string): boolean {
  try {
    decodeTicket(text)
    return true
  } catch {
    return false
  }
}
