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
  /** The step is ended and has failed when it takes longer, in minutes: about three times what it takes on two cores. */
  limitMinutes: number
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

/**
 * Time for one test, in seconds, where the test has no limit of its own. node:test has none by default, so that a test
 * which waits for an event that does not come would hang. The slowest that have none take 15 s, 40 s and 2 min on two cores.
 */
const TEST_LIMIT_SECONDS = { unit: 60, network: 120, lab: 600 } as const

/** Ends a test file that something keeps alive after its tests. */
const END_OF_TESTS = new URL('../test/end-of-tests.ts', import.meta.url).href

const steps: Step[] = [
  { name: 'lint', command: ['npm', 'run', '--silent', 'lint'], limitMinutes: 5 },
  { name: 'types', command: ['npm', 'run', '--silent', 'types'], limitMinutes: 5 },
  { name: 'unit', command: tests('unit'), limitMinutes: 10 },
  { name: 'network', command: tests('network', NETWORK_CONCURRENCY), limitMinutes: 30 },
  // the same inputs each time, as far as a minute goes: `npm run fuzz` looks for new ones
  {
    name: 'fuzz',
    command: [process.execPath, 'scripts/fuzz.ts', '--minutes', '1', '--seed', '1'],
    limitMinutes: 10,
  },
  { name: 'lab', command: tests('lab', LAB_CONCURRENCY), limitMinutes: 40, obstacle: labObstacle },
  {
    name: 'containers',
    command: [process.execPath, 'scripts/test-containers.ts'],
    limitMinutes: 30,
    obstacle: engineObstacle,
  },
  {
    name: 'interop',
    command: [process.execPath, 'scripts/interop.ts'],
    limitMinutes: 40,
    obstacle: () => labObstacle() ?? compilerObstacle(),
  },
]

/** Time for the runner to report what is still running, in milliseconds. */
const KILL_AFTER_MS = 10_000

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

async function runStep({ name, command, limitMinutes, obstacle }: Step): Promise<Outcome> {
  console.log(`\n== ${name} ==`)
  const reason = obstacle?.()
  if (reason !== undefined) return { name, result: 'left out', seconds: 0, note: reason, failures: '' }
  const startedAt = performance.now()
  const [program = '', ...args] = command
  const env = process.stdout.isTTY ? { ...process.env, FORCE_COLOR: '1' } : process.env
  // in a process group of its own, so that its children end with it
  const child = spawn(program, args, { stdio: ['inherit', 'pipe', 'inherit'], env, detached: true })
  let failures = ''
  createInterface(child.stdout).on('line', line => {
    console.log(line)
    if (failures !== '' || line.includes(FAILURES_HEADING)) failures += `${line}\n`
  })
  // until 'close': the runner may be gone while a descendant still has its stdout
  const endGroup = (signal: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
  const onStop = (): void => endGroup('SIGINT')
  stopped.signal.addEventListener('abort', onStop, { once: true })
  let note = ''
  let kill: NodeJS.Timeout | undefined
  const limit = setTimeout(() => {
    note = `not done after ${limitMinutes} min`
    // the runner reports which tests are still running; what does not end by itself is killed
    endGroup('SIGINT')
    kill = setTimeout(() => endGroup('SIGKILL'), KILL_AFTER_MS)
  }, limitMinutes * 60_000)
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(limit)
  clearTimeout(kill)
  stopped.signal.removeEventListener('abort', onStop)
  const seconds = (performance.now() - startedAt) / 1000
  return { name, result: code === 0 && note === '' ? 'passed' : 'failed', seconds, note, failures }
}

function tests(layer: keyof typeof TEST_LIMIT_SECONDS, concurrency?: number): string[] {
  const limit = concurrency === undefined ? [] : [`--test-concurrency=${concurrency}`]
  // the longest first, so that the last one does not run alone
  const files = globSync(`test/${layer}/**/*.test.ts`).toSorted(
    (one, other) => Number(/idle/.test(other)) - Number(/idle/.test(one)),
  )
  const timeLimit = `--test-timeout=${TEST_LIMIT_SECONDS[layer] * 1000}`
  return [process.execPath, '--test', '--import', END_OF_TESTS, timeLimit, ...limit, ...files]
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
