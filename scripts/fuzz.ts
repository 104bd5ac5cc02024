/**
 * Fuzzes every place where bytes of strangers come in: `npm run fuzz -- --minutes 5 --seed 7 --surface tunnel`.
 *
 * Each batch of inputs depends on the seed and its number only. `--resume` goes on where the last run with the same seed ended.
 * An input that fails is made smaller, kept in test/fuzz/corpus/ and replayed from then on, by `npm test` too.
 */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { surfaces } from '../test/fuzz/surfaces/index.ts'
import { table } from './bench/stats.ts'
import type { Failure, Report } from '../test/fuzz/run.ts'
import type { Message, Task } from '../test/fuzz/worker.ts'

/** A worker that reports no batch for so long is ended, in milliseconds. One input may take 20 s, and each is tried four times. */
const SILENCE_MS = 120_000

/** Least time for an entry, in milliseconds. */
const MIN_ENTRY_MS = 250

const WORKER = fileURLToPath(new URL('../test/fuzz/worker.ts', import.meta.url))
const PROGRESS = new URL('../.cache/fuzz.json', import.meta.url)

const { values } = parseArgs({
  options: {
    /** For all entries together. */
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    /** Surfaces or entries, separated by commas: `tunnel`, `options/yaml`. */
    surface: { type: 'string' },
    /** The first batch of each entry. */
    from: { type: 'string', default: '0' },
    /** Most batches of each entry. */
    batches: { type: 'string', default: 'Infinity' },
    resume: { type: 'boolean', default: false },
  },
})
const seed = whole('seed', values.seed)
const from = whole('from', values.from)
const batches = values.batches === 'Infinity' ? Infinity : whole('batches', values.batches)
const minutes = Number(values.minutes)
if (!(minutes > 0)) refuse(`--minutes takes a positive number, not ${values.minutes}.`)

/** The next batch, by seed, surface and entry. */
const progress = readProgress()
const stopped = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort())

const tasks = selected()
const count = tasks.reduce((sum, it) => sum + it.orders.length, 0)
console.log(`seed ${seed}, ${count} entries of ${tasks.length} surfaces, ${minutes} min`)
const startedAt = performance.now()
const reports: Report[] = []
const failures: Failure[] = []
let surfacesLeft = tasks.length
for (const task of tasks) {
  if (stopped.signal.aborted) break
  // each surface has as much as any other of what is left: live ones need more for an input, and have fewer entries
  const leftMs = minutes * 60_000 - (performance.now() - startedAt)
  const timeMs = Math.max(MIN_ENTRY_MS, leftMs / surfacesLeft-- / task.orders.length)
  await run({ ...task, orders: task.orders.map(order => ({ ...order, timeMs })) })
}
writeProgress()
print()
process.exit(failures.length > 0 ? 1 : stopped.signal.aborted ? 130 : 0)

async function run(task: Task): Promise<void> {
  const child = fork(
    WORKER,
    [
      JSON.stringify({
        ...task,
        orders: task.orders.map(it => ({ ...it, batches: Math.min(it.batches, 2 ** 31) })),
      }),
    ],
    {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  )
  let running = { entry: task.orders[0]?.entry ?? '', batch: from }
  let reason = ''
  const onSilence = (): void => {
    reason = `no answer within ${SILENCE_MS / 1000} s`
    child.kill('SIGKILL')
  }
  let silence = setTimeout(onSilence, SILENCE_MS)
  const onStop = (): void => void child.kill('SIGKILL')
  stopped.signal.addEventListener('abort', onStop, { once: true })
  let done = 0
  child.on('message', (message: Message) => {
    clearTimeout(silence)
    silence = setTimeout(onSilence, SILENCE_MS)
    if ('report' in message) {
      done++
      reports.push(message.report)
      failures.push(...message.report.failures)
      remember(message.report.surface, message.report.entry, message.report.next)
    } else {
      running = message
      remember(task.surface, message.entry, message.batch)
    }
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  clearTimeout(silence)
  stopped.signal.removeEventListener('abort', onStop)
  if (done === task.orders.length || stopped.signal.aborted) return
  const message = `the process ended with ${code ?? signal}${reason === '' ? '' : `, ${reason}`}`
  failures.push({
    surface: task.surface,
    entry: running.entry,
    message,
    path: undefined,
    batch: running.batch,
  })
}

function selected(): Task[] {
  const wanted = values.surface?.split(',')
  const unknown = wanted?.find(
    name =>
      !surfaces.some(it => name === it.name || it.entries.some(entry => name === `${it.name}/${entry.name}`)),
  )
  if (unknown !== undefined)
    refuse(
      `There is no surface ${unknown}. There are ${surfaces.map(it => `${it.name} (${it.entries.map(entry => entry.name).join(', ')})`).join('; ')}.`,
    )
  const isWanted = (surface: string, entry: string): boolean =>
    wanted === undefined || wanted.includes(surface) || wanted.includes(`${surface}/${entry}`)
  return surfaces
    .map(({ name, entries }) => ({
      surface: name,
      orders: entries
        .filter(entry => isWanted(name, entry.name))
        .map(entry => ({
          entry: entry.name,
          seed,
          from: values.resume ? (progress[keyOf(name, entry.name)] ?? from) : from,
          timeMs: 0,
          batches,
        })),
    }))
    .filter(it => it.orders.length > 0)
}

function print(): void {
  const rows = reports.map(it => [
    `${it.surface}/${it.entry}`,
    String(it.inputs),
    `${it.worstMs.toFixed(1)} ms`,
    `${(it.growthBytes / 2 ** 20).toFixed(1)} MiB`,
    String(it.next),
  ])
  for (const line of table(['entry', 'inputs', 'worst CPU', 'memory left', 'next batch'], rows))
    console.log(line)
  for (const { surface, entry, message, path, batch } of failures) {
    console.log(`\nFAILED ${surface}/${entry}: ${message}`)
    if (path !== undefined) console.log(`The input is kept in ${path}.`)
    const at = batch === undefined ? '' : ` --from ${batch} --batches 1`
    console.log(`Again: npm run fuzz -- --seed ${seed} --surface ${surface}/${entry}${at}`)
  }
}

function keyOf(surface: string, entry: string): string {
  return `${seed} ${surface}/${entry}`
}

function remember(surface: string, entry: string, batch: number): void {
  progress[keyOf(surface, entry)] = batch
}

function readProgress(): Record<string, number> {
  try {
    return JSON.parse(readFileSync(PROGRESS, 'utf8')) as Record<string, number>
  } catch {
    return {} // the first run
  }
}

function writeProgress(): void {
  mkdirSync(new URL('.', PROGRESS), { recursive: true })
  writeFileSync(PROGRESS, JSON.stringify(progress, undefined, 2))
}

function whole(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) refuse(`--${name} takes a whole number, not ${text}.`)
  return Number(text)
}

function refuse(message: string): never {
  console.error(message)
  process.exit(2)
}
