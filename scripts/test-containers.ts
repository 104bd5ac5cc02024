/**
 * `npm run test:containers`: the tests in test/containers, from the images as they are shipped.
 *
 * Installs and starts what is missing, and removes what it made, on Ctrl-C too; an engine that was there already stays as it
 * was. Where no engine can be had it says why, and under `CI=true` that is a failure.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findCompose, removeAll } from '../test/containers/docker.ts'
import { provideEngine } from './containers/engine.ts'
import { buildImages } from './containers/images.ts'
import { NotHereError, requirePackages } from './containers/packages.ts'

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))

/** Time for one test that has no limit of its own, in milliseconds. The slowest takes 2 min on two cores. */
const TEST_LIMIT_MS = 600_000

const stopped = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopped.abort())

try {
  process.exitCode = (await testContainers()) ? 0 : 1
} catch (error) {
  if (!(error instanceof NotHereError) && !stopped.signal.aborted) throw error
  if (!stopped.signal.aborted)
    console.error(`The tests with containers are left out: ${(error as Error).message}`)
  process.exitCode = process.env['CI'] === 'true' ? 1 : 0
}
if (stopped.signal.aborted) process.exitCode = 130

async function testContainers(): Promise<boolean> {
  if (findCompose() === undefined) requirePackages({ 'docker-compose': 'docker-compose' })
  {
    await using _engine = await provideEngine('host')
    await timed('images', async () => buildImages(stopped.signal))
  }
  await using _engine = await provideEngine('own')
  try {
    return await timed('tests', runTests)
  } finally {
    await removeAll()
  }
}

/** One file after the other: each makes the same networks. */
async function runTests(): Promise<boolean> {
  const args = process.argv.slice(2)
  const files = args.some(arg => arg.endsWith('.test.ts')) ? [] : globSync('test/containers/*.test.ts')
  stopped.signal.throwIfAborted()
  const child = spawn(
    process.execPath,
    ['--test', '--test-concurrency=1', `--test-timeout=${TEST_LIMIT_MS}`, ...args, ...files],
    {
      stdio: 'inherit',
    },
  )
  const onStop = (): boolean => child.kill('SIGTERM')
  stopped.signal.addEventListener('abort', onStop, { once: true })
  const [code] = (await once(child, 'exit')) as [number | null]
  stopped.signal.removeEventListener('abort', onStop)
  return code === 0
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now()
  const result = await work()
  console.log(`${what}: ${((performance.now() - startedAt) / 1000).toFixed(0)} s`)
  return result
}
