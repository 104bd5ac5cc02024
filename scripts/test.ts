/**
 * `npm test`: all checks in order, and a table of how they went.
 *
 * `npm test -- unit lab` runs only some. The lab needs Linux, root and its programs, the containers a Docker engine; where
 * a step cannot run it is left out with the reason, and under `CI=true` that is a failure.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { engineObstacle } from './containers/engine.ts'
import { missingCompilers } from '../test/interop/programs.ts'
import { findMissing } from '../test/lab/net/prerequisites.mjs'

interface Step {
  name: string
  command: string[]
  /** Tells why the step cannot run here. */
  obstacle?: () => string | undefined
}

interface Outcome {
  name: string
  result: 'passed' | 'failed' | 'left out'
  seconds: number
  note: string
  /** What the runner says at its end of the tests that failed. */
  failures: string
}

const isCI = process.env['CI'] === 'true'

// most of the time is waiting; a file has nodes of its own, on ports that are free
const NETWORK_CONCURRENCY = 2

// the same, and each file makes networks of its own
const LAB_CONCURRENCY = 3

const steps: Step[] = [
  { name: 'lint', command: ['npm', 'run', '--silent', 'lint'] },
  { name: 'types', command: ['npm', 'run', '--silent', 'types'] },
  { name: 'unit', command: tests('test/unit/**/*.test.ts') },
  { name: 'network', command: tests('test/network/**/*.test.ts', NETWORK_CONCURRENCY) },
  { name: 'lab', command: tests('test/lab/**/*.test.ts', LAB_CONCURRENCY), obstacle: labObstacle },
  {
    name: 'containers',
    command: [process.execPath, 'scripts/test-containers.ts'],
    obstacle: engineObstacle,
  },
  {
    name: 'interop',
    command: [process.execPath, 'scripts/interop.ts'],
    obstacle: () => labObstacle() ?? compilerObstacle(),
  },
]

// the line of node's reporter `spec` before the tests that failed
const FAILURES_HEADING = 'failing tests:'

const wanted = process.argv.slice(2)
const unknown = wanted.filter(name => !steps.some(step => step.name === name))
if (unknown.length > 0) {
  console.error(
    `There is no step ${unknown.join(', ')}. There are ${steps.map(({ name }) => name).join(', ')}.`,
  )
  process.exit(2)
}

const stopped = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort(signal))

const outcomes: Outcome[] = []
for (const step of steps) {
  if (stopped.signal.aborted) break
  if (wanted.length === 0 || wanted.includes(step.name)) outcomes.push(await runStep(step))
}
summarize(outcomes)
process.exitCode = stopped.signal.aborted ? 130 : outcomes.every(passes) ? 0 : 1

async function runStep({ name, command, obstacle }: Step): Promise<Outcome> {
  console.log(`\n== ${name} ==`)
  const note = obstacle?.()
  if (note !== undefined) return { name, result: 'left out', seconds: 0, note, failures: '' }
  const startedAt = performance.now()
  const [program = '', ...args] = command
  const env = process.stdout.isTTY ? { ...process.env, FORCE_COLOR: '1' } : process.env
  const child = spawn(program, args, { stdio: ['inherit', 'pipe', 'inherit'], env })
  let failures = ''
  createInterface(child.stdout).on('line', line => {
    console.log(line)
    if (failures !== '' || line.includes(FAILURES_HEADING)) failures += `${line}\n`
  })
  const onStop = (): boolean => child.kill('SIGINT')
  stopped.signal.addEventListener('abort', onStop, { once: true })
  const [code] = (await once(child, 'close')) as [number | null]
  stopped.signal.removeEventListener('abort', onStop)
  const seconds = (performance.now() - startedAt) / 1000
  return { name, result: code === 0 ? 'passed' : 'failed', seconds, note: '', failures }
}

function tests(glob: string, concurrency?: number): string[] {
  const limit = concurrency === undefined ? [] : [`--test-concurrency=${concurrency}`]
  // the longest first, so that the last one does not run alone
  const files = globSync(glob).toSorted((one, other) => Number(/idle/.test(other)) - Number(/idle/.test(one)))
  return [process.execPath, '--test', ...limit, ...files]
}

function labObstacle(): string | undefined {
  const { missing } = findMissing()
  if (missing.length === 0) return undefined
  return `for want of ${missing.map(({ what, why }) => `${what} (${why})`).join('; ')}`
}

function compilerObstacle(): string | undefined {
  const missing = missingCompilers()
  return missing.length === 0
    ? undefined
    : `for want of ${missing.join(' and ')} (compiles go-libp2p, rust-libp2p)`
}

function passes({ result }: Outcome): boolean {
  return result === 'passed' || (result === 'left out' && !isCI)
}

/** Failures come once more at the end: what is kept of a long log is often its end alone. */
function summarize(all: readonly Outcome[]): void {
  for (const { name, failures } of all) if (failures !== '') console.log(`\n== ${name}: ${failures}`)
  console.log('')
  for (const { name, result, seconds, note } of all)
    console.log(`${name.padEnd(10)} ${result.padEnd(8)} ${seconds.toFixed(0).padStart(5)} s  ${note}`)
}
