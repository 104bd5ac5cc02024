/**
 * The step `interop` of scripts/test.ts: compiles the programs over go-libp2p and rust-libp2p, runs test/interop with them, and
 * writes the results in docs/interop.md.
 *
 * The first time it takes minutes to compile all that they depend on; after that only what has changed is compiled.
 */

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, rmSync } from 'node:fs'
import { RESULTS } from '../test/interop/matrix.ts'
import { build, compiled, isBuilt } from '../test/interop/programs.ts'

for (const name of compiled) {
  if (isBuilt(name)) continue
  console.log(`Compiling the program over ${name} (some minutes, the first time)`)
  const startedAt = performance.now()
  build(name)
  console.log(`Compiled it in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`)
}

/** Time for one test, in milliseconds: three attempts of 5 s, and programs that start on busy cores. */
const TEST_LIMIT_MS = 120_000

rmSync(RESULTS, { force: true })
const files = globSync('test/interop/*.test.ts')
const tests = spawn(
  process.execPath,
  ['--test', '--test-concurrency=1', `--test-timeout=${TEST_LIMIT_MS}`, ...files],
  { stdio: 'inherit' },
)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => tests.kill(signal))
const [code] = (await once(tests, 'exit')) as [number | null]
process.exitCode = code ?? 1

// some cells are no report
if (code === 0 && process.env['THROUGHNAT_INTEROP'] === undefined)
  execFileSync(process.execPath, ['scripts/interop-report.ts'], { stdio: 'inherit' })
