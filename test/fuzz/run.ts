/** Runs the entries of a surface: kept inputs first, then generated ones, batch by batch, until the time is over. */

import fc from 'fast-check'
import { keepInput, keptInputs } from './corpus.ts'
import { InputChecker, UnhandledErrors } from './properties.ts'
import type { Entry, Input, Stage, Surface } from './surface.ts'

/** Inputs of one batch. A batch depends on the seed and its number only, so that one can be repeated alone. */
const BATCH = 100

/** Most time for finding a smaller input that fails, in milliseconds. */
const SHRINK_MS = 15_000

/**
 * Most memory that an entry may keep, in bytes, after garbage has been collected: heap and buffers. The runs of an hour in which nothing
 * leaked kept 16 MiB, most of it compiled code and caches.
 */
const MAX_GROWTH_BYTES = 32 * 1024 * 1024

/** What is to be run. */
export interface Order {
  seed: number
  /** The first batch. */
  from: number
  /** Time for the entry, in milliseconds. */
  timeMs: number
  /** Most batches. */
  batches: number
}

/** A property that did not hold. */
export interface Failure {
  surface: string
  entry: string
  message: string
  /** The file that the input was kept in. */
  path: string | undefined
  batch: number | undefined
}

/** How an entry was run. */
export interface Report {
  surface: string
  entry: string
  inputs: number
  /** The batch that comes next. */
  next: number
  worstMs: number
  /** Memory after a collection of garbage, beyond that at the start, in bytes. */
  growthBytes: number
  failures: Failure[]
}

const unhandled = new UnhandledErrors()

/** Runs one entry. `onBatch` gets the number of each batch before it runs. */
export async function runEntry(
  surface: Surface,
  entry: Entry,
  { seed, from, timeMs, batches }: Order,
  onBatch: (batch: number) => void = () => {},
): Promise<Report> {
  const report: Report = {
    surface: surface.name,
    entry: entry.name,
    inputs: 0,
    next: from,
    worstMs: 0,
    growthBytes: 0,
    failures: [],
  }
  const fail = (message: string, path?: string, batch?: number): void => {
    report.failures.push({ surface: surface.name, entry: entry.name, message, path, batch })
  }
  await withStage(async stage => {
    const checker = await InputChecker.create(await entry.start(stage), entry.valid, unhandled)
    const check = async (input: Input): Promise<void> => {
      report.inputs++
      await checker.check(input)
    }
    for (const message of await checkKept(surface.name, entry.name, check)) fail(message)
    const endsAt = performance.now() + timeMs
    let startBytes = NaN
    for (
      ;
      performance.now() < endsAt && report.next < from + batches && report.failures.length === 0;
      report.next++
    ) {
      onBatch(report.next)
      const found = await runBatch(entry, check, seedOf(seed, report.next, surface.name, entry.name))
      if (found !== undefined)
        fail(
          found.message,
          found.input && keepInput(surface.name, entry.name, found.input, found.message),
          report.next,
        )
      // what the first batches leave is compiled code and caches
      if (report.next === from + 2) startBytes = await settledBytes()
    }
    if (!Number.isNaN(startBytes)) report.growthBytes = (await settledBytes()) - startBytes
    if (report.growthBytes > MAX_GROWTH_BYTES)
      fail(`${report.inputs} inputs left ${(report.growthBytes / 2 ** 20).toFixed(0)} MiB of memory behind`)
    report.worstMs = checker.worstMs
  }).catch((error: Error) => fail(`the entry does not start, or refuses honest inputs: ${describe(error)}`))
  await unhandled.check().catch((error: Error) => fail(error.message))
  return report
}

/** Replays all inputs that are kept for an entry. Returns what did not hold. */
export async function replayEntry(surface: Surface, entry: Entry): Promise<string[]> {
  if (keptInputs(surface.name, entry.name).length === 0) return []
  let messages: string[] = []
  await withStage(async stage => {
    const checker = await InputChecker.create(await entry.start(stage), entry.valid, unhandled)
    messages = await checkKept(surface.name, entry.name, input => checker.check(input))
  })
  await unhandled.check().catch((error: Error) => messages.push(error.message))
  return messages
}

async function checkKept(
  surface: string,
  entry: string,
  check: (input: Input) => Promise<void>,
): Promise<string[]> {
  const messages: string[] = []
  for (const { name, input } of keptInputs(surface, entry))
    await check(input).catch((error: Error) =>
      messages.push(`${surface}/${entry}, kept input ${name}: ${describe(error)}`),
    )
  return messages
}

async function runBatch(
  entry: Entry,
  check: (input: Input) => Promise<void>,
  seed: number,
): Promise<{ message: string; input: Input | undefined } | undefined> {
  const details = await fc.check(fc.asyncProperty(entry.inputs, check), {
    seed,
    numRuns: BATCH,
    interruptAfterTimeLimit: SHRINK_MS,
    markInterruptAsFailure: false,
  })
  if (!details.failed) {
    try {
      await unhandled.check()
      return undefined
    } catch (error) {
      return { message: describe(error as Error), input: undefined }
    }
  }
  const [input] = details.counterexample ?? []
  return { message: describe(details.errorInstance as Error), input }
}

function describe(error: Error | undefined): string {
  return error?.stack ?? String(error)
}

/** A different one for each batch of each entry. */
function seedOf(seed: number, batch: number, surface: string, entry: string): number {
  let hash = seed | 0
  for (const part of Buffer.from(`${surface}/${entry}/${batch}`)) hash = Math.imul(hash ^ part, 0x01000193)
  return hash
}

async function settledBytes(): Promise<number> {
  for (let n = 0; n < 3; n++) {
    globalThis.gc?.()
    // finalizers of sockets and buffers run between collections
    await new Promise(resolve => setTimeout(resolve, 30))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function withStage(run: (stage: Stage) => Promise<void>): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const ended = new AbortController()
  stack.defer(() => ended.abort())
  await run({
    signal: ended.signal,
    after: release => stack.defer(async () => void (await release())),
  })
}
