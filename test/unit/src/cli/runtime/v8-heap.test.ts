/** What short-lived buffers cost, in a process of its own each. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'

/**
 * Passes on 2 GiB in pieces as sockets bring them, each with as many small objects as the layers above make of it, in a program that has loaded as much as ours. Prints
 * how many collections of the whole heap that took.
 */
const PASS_ON = `
  import { PerformanceObserver, constants } from 'node:perf_hooks'
  import { setImmediate as turn } from 'node:timers/promises'
  await import(${JSON.stringify(import.meta.resolve('../../../../../peer/index.ts'))})
  let whole = 0
  const observer = new PerformanceObserver(list => {
    for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) whole++
  })
  observer.observe({ entryTypes: ['gc'] })
  const recent = []
  for (let n = 0; n < 32_768; n++) {
    recent[n % 16] = { data: Buffer.allocUnsafeSlow(64 * 1024), of: Array.from({ length: 64 }, () => ({ n })) }
    if (n % 8 === 0) await turn()
  }
  // observers are told a turn later
  await turn()
  console.log(whole)
`

const KEEP_SMALL = `
  import { keepYoungGenerationSmall } from ${JSON.stringify(import.meta.resolve('../../../../../src/cli/runtime/v8-heap.ts'))}
  keepYoungGenerationSmall()
`

function collections(program: string): number {
  const args = ['--input-type=module', '-e', program]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  assert.match(stdout, /^\d+\n$/, stderr)
  return Number(stdout)
}

test('a small young generation saves most collections of the whole heap, of which there are many without', () => {
  const [before, after] = [collections(PASS_ON), collections(KEEP_SMALL + PASS_ON)]
  assert.ok(before >= 8 && after * 4 <= before, `${before} and ${after}`)
})
