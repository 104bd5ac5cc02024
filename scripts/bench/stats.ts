/** Numbers, and how they are printed. */

import { readFile } from 'node:fs/promises'
import os from 'node:os'

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** Lines of a table in Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map(row => row[i]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`
  return [line(head), `|${widths.map(width => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)]
}

/** Date, machine and versions, without which no number means anything. */
export async function circumstances(): Promise<Record<string, string>> {
  return {
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    platform: `${process.platform} ${os.release()}`,
    cpus: `${os.cpus().length} x ${os.cpus()[0]?.model ?? 'unknown'}`,
    libp2p: await versionOf('libp2p'),
    'libp2p-noise': await versionOf('@chainsafe/libp2p-noise'),
    'libp2p-yamux': await versionOf('@chainsafe/libp2p-yamux'),
    'circuit-relay-v2': await versionOf('@libp2p/circuit-relay-v2'),
  }
}

async function versionOf(name: string): Promise<string> {
  const path = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
  const { version } = JSON.parse(await readFile(path, 'utf8')) as { version: string }
  return version
}
