/**
 * Kinds that measure: durations, sizes, rates, counts and ports.
 *
 * Durations, sizes and rates need their unit and a bare number is refused, because a number that one person meant
 * as seconds is read as milliseconds by the next. Counts and ports have no unit and take none.
 */

import ms from 'ms'
import type { Kind } from './kind.ts'

/** Longest wait of a Node.js timer, in milliseconds; a longer one would fire at once. Source: Node.js `setTimeout`. */
export const longestDurationMs = 2 ** 31 - 1

const durationUnits: readonly Unit[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]

// Decimal and binary units are told apart as IEC 80000-13 does. The npm package `bytes` reads 1MB as 2^20 bytes and
// 128KiB as 128, so it is not used.
const sizeUnits: readonly Unit[] = [
  ['TiB', 1024 ** 4],
  ['TB', 1000 ** 4],
  ['GiB', 1024 ** 3],
  ['GB', 1000 ** 3],
  ['MiB', 1024 ** 2],
  ['MB', 1000 ** 2],
  ['KiB', 1024],
  ['kB', 1000],
  ['B', 1],
]

type Unit = readonly [name: string, factor: number]

/** A span of time such as `10s`; the value is in whole milliseconds, 0 to {@link longestDurationMs}. */
export const durationKind: Kind<number> = {
  noun: 'a duration',
  placeholder: 'DURATION',
  example: '10s',
  parse(text) {
    refuseBareNumber(text, 's', 'ms')
    // `ms` also accepts bare numbers, negative ones, years and spelled-out units; the pattern keeps one spelling.
    if (!/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(text))
      throw new Error('expected a number and one of ms, s, m, h, d')
    const duration = Math.round(ms(text as ms.StringValue))
    if (duration > longestDurationMs) throw new Error('24 days are the longest wait there is')
    return duration
  },
  print: printDuration,
}

/** An amount of data such as `128KiB` or `10MB`; the value is in bytes. */
export const sizeKind: Kind<number> = {
  noun: 'a size',
  placeholder: 'SIZE',
  example: '128KiB',
  parse: parseSize,
  print: printSize,
}

/** An amount of data per second such as `1MiB/s`; the value is in bytes per second. */
export const rateKind: Kind<number> = {
  noun: 'a rate',
  placeholder: 'RATE',
  example: '1MiB/s',
  parse(text) {
    refuseBareNumber(text, 'KiB/s', 'MiB/s')
    if (!text.endsWith('/s')) throw new Error('expected a size and /s')
    return parseSize(text.slice(0, -2))
  },
  print: value => `${printSize(value)}/s`,
}

/** A whole number without a unit. Negative ones are read, and refused by the table unless its `min` allows them. */
export const integerKind: Kind<number> = {
  noun: 'a whole number',
  placeholder: 'N',
  example: '8',
  parse(text) {
    if (!/^-?\d+$/.test(text)) throw new Error('expected digits only')
    const value = Number(text)
    if (!Number.isSafeInteger(value)) throw new Error('it is too large')
    return value
  },
}

/** A TCP port, 0 to 65535; 0 lets the system choose. */
export const portKind: Kind<number> = {
  noun: 'a port',
  placeholder: 'PORT',
  example: '4001',
  parse: text => parsePort(text, 0),
}

/**
 * Reads a TCP port.
 *
 * @throws {Error} when it is not a whole number from `lowest` to 65535
 */
export function parsePort(text: string, lowest: 0 | 1): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port >= lowest && port <= 65_535)) {
    throw new Error(`expected a port, a whole number from ${lowest} to 65535`)
  }
  return port
}

/** Writes milliseconds in the largest unit that loses nothing: 90000 is `90s`. */
function printDuration(durationMs: number): string {
  return printExactly(durationMs, durationUnits)
}

/** Writes bytes in the largest unit that loses nothing: 131072 is `128KiB`. */
function printSize(bytes: number): string {
  return printExactly(bytes, sizeUnits)
}

function printExactly(amount: number, units: readonly Unit[]): string {
  const [name, factor] =
    (amount === 0 ? undefined : units.find(unit => amount % unit[1] === 0)) ?? lastOf(units)
  return `${amount / factor}${name}`
}

function lastOf(units: readonly Unit[]): Unit {
  return units[units.length - 1] as Unit
}

function parseSize(text: string): number {
  refuseBareNumber(text, 'KiB', 'MiB')
  const [, amount, unitName] = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(text) ?? []
  const unit = sizeUnits.find(([name]) => name === (unitName === 'KB' ? 'kB' : unitName))
  if (amount === undefined || unit === undefined) {
    throw new Error('expected a number and one of B, KiB, MiB, GiB, TiB (powers of 1024), kB, MB, GB, TB')
  }
  const size = Math.round(Number(amount) * unit[1])
  if (!Number.isSafeInteger(size)) throw new Error('it is too large')
  return size
}

function refuseBareNumber(text: string, ...units: readonly string[]): void {
  if (!/^-?\d+(\.\d+)?$/.test(text)) return
  throw new Error(`a bare number has no unit, write ${units.map(unit => `${text}${unit}`).join(' or ')}`)
}
