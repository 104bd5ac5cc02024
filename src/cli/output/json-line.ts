/**
 * Writes an event as one line of JSON.
 *
 * Invariant: it never throws. If a field cannot be written, that field is replaced and the line is still
 * written.
 */

import { inspect } from 'node:util'

/** Deepest nesting. Deeper values become text. Events are flat, so this only matters for cycles. */
const deepest = 6

/**
 * Writes `{"event":name,"at":at,...fields}`. Big integers, dates, multiaddrs, peer ids and errors become
 * text.
 *
 * @param at - in milliseconds since the epoch
 */
export function jsonLine(name: string, at: number, fields: Readonly<Record<string, unknown>>): string {
  const line: Record<string, unknown> = { event: name, at }
  for (const [key, value] of Object.entries(fields)) {
    if (key !== 'event' && key !== 'at') line[key] = safely(() => plain(value, 0))
  }
  return JSON.stringify(line)
}

function plain(value: unknown, depth: number): unknown {
  if (typeof value === 'bigint' || typeof value === 'symbol') return value.toString()
  if (typeof value === 'function') return undefined
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Error) return value.message === '' ? value.name : `${value.name}: ${value.message}`
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (value instanceof Map || depth >= deepest)
    return inspect(value, { breakLength: Number.POSITIVE_INFINITY })
  if (Array.isArray(value) || value instanceof Set) return Array.from(value, one => plain(one, depth + 1))
  if (!isPlainObject(value)) {
    // multiaddrs, peer ids, CIDs, URLs: objects with their own text form
    const text = (value as { toString(): string }).toString()
    if (!text.startsWith('[object ')) return text
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one, depth + 1)]))
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function safely(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    return `(unreadable: ${error instanceof Error ? error.name : 'error'})`
  }
}
