/** Whether the memory of the programs in a soak is level. */

import type { FaultResult } from './soak.ts'

export interface MemoryGrowth {
  program: 'listen' | 'forward'
  /** Medians of the first and of the last third of the faults. */
  beforeBytes: number
  afterBytes: number
  isLevel: boolean
}

/** Garbage that is not collected yet makes up so much, in bytes: two of the programs' young generations and more. */
const NOISE_BYTES = 48 * 1024 * 1024

/** The share by which code that runs for the first time lets a program grow. */
const GROWTH = 1.15

export function memoryGrowth(results: readonly FaultResult[]): MemoryGrowth[] {
  const count = Math.ceil(results.length / 3)
  return (['listen', 'forward'] as const).map(program => {
    const bytes = results.map(it => it.residentBytes[program])
    const [beforeBytes, afterBytes] = [middle(bytes.slice(0, count)), middle(bytes.slice(-count))]
    return { program, beforeBytes, afterBytes, isLevel: afterBytes <= beforeBytes * GROWTH + NOISE_BYTES }
  })
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
