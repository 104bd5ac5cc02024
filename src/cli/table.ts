/** Text in aligned columns. */

import { printable } from './problem.ts'

/**
 * Lays out rows of cells in columns, each as wide as its widest cell, except the last one. Removes control
 * characters from cells.
 */
export function layOut(rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map(row => row.map(cell => printable(cell).replaceAll(/\s+/g, ' ')))
  const columns = Math.max(0, ...cells.map(row => row.length))
  const widths = Array.from({ length: columns }, (_, at) =>
    Math.max(...cells.map(row => row[at]?.length ?? 0)),
  )
  return cells.map(row =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
