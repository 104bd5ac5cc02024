/**
 * What holds for every input: nothing crashes, no rejection goes unhandled, the answer comes and is an allowed one, and it
 * costs little processor time.
 */

import { createHash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { inTime } from '../waits.ts'
import type { Feed, Input } from './surface.ts'

/**
 * Most processor time that one input may cost, in milliseconds, beyond what honest inputs of its entry cost. On a slower machine
 * it is longer in proportion.
 */
const CPU_MS = 50

/** Time of {@link calibrationMs} on the machine that the bound was made for, in milliseconds. */
const REFERENCE_MS = 45

/** Longest wait for the answer to one input, in milliseconds. */
const ANSWER_MS = 20_000

/** A slow input is measured again, because a collection of garbage or a compilation may have come in between. */
const MEASUREMENTS = 4

/** What costs so many times the bound is no coincidence, and is measured twice. */
const CERTAIN = 6

/** An input that costs too much. */
class SlowInputError extends Error {
  override readonly name = 'SlowInputError'
}

/** A fault outside of the call that handed over the input. */
class UnhandledError extends Error {
  override readonly name = 'UnhandledError'
}

/** Collects errors that nobody has handled. The process goes on. */
export class UnhandledErrors {
  readonly #errors: unknown[] = []

  readonly #note = (error: unknown): void => void this.#errors.push(error)

  constructor() {
    process.on('unhandledRejection', this.#note)
    process.on('uncaughtException', this.#note)
  }

  /** Leaves them to the process again. */
  stop(): void {
    process.off('unhandledRejection', this.#note)
    process.off('uncaughtException', this.#note)
  }

  /** @throws {UnhandledError} if there has been one since the last call */
  async check(): Promise<void> {
    // an unhandled rejection is reported after the microtasks of its turn
    await turn()
    if (this.#errors.length === 0) return
    const [cause] = this.#errors.splice(0)
    throw new UnhandledError(`An error went unhandled: ${(cause as Error)?.stack ?? String(cause)}`, {
      cause,
    })
  }
}

/** How long this machine takes for a fixed piece of work, in milliseconds of processor time. */
function calibrationMs(): number {
  const work = (): number => {
    const before = process.cpuUsage()
    const bytes = Buffer.alloc(1 << 20, 7)
    let sum = 0
    for (let n = 0; n < 16; n++) sum += createHash('sha256').update(bytes).digest()[n] ?? 0
    for (let n = 0; n < 2_000_000; n++) sum = (sum * 31 + n) % 1_000_003
    return sum < 0 ? 0 : milliseconds(before)
  }
  work()
  return Math.min(work(), work(), work())
}

/** Checks inputs of one entry. */
export class InputChecker {
  readonly #feed: Feed
  readonly #unhandled: UnhandledErrors
  readonly #limitMs: number
  /** The most that one input has cost so far, in milliseconds of processor time. */
  worstMs = 0

  private constructor(feed: Feed, unhandled: UnhandledErrors, limitMs: number) {
    this.#feed = feed
    this.#unhandled = unhandled
    this.#limitMs = limitMs
  }

  /** Measures the baseline with honest inputs. */
  static async create(
    feed: Feed,
    valid: readonly Input[],
    unhandled: UnhandledErrors,
  ): Promise<InputChecker> {
    const costs: number[] = []
    for (let n = 0; n < 3; n++)
      for (const input of valid) {
        const before = process.cpuUsage()
        await inTime(Promise.resolve(feed(input)), 'an honest input is answered', ANSWER_MS)
        costs.push(milliseconds(before))
      }
    await unhandled.check()
    const baselineMs = costs.toSorted((one, other) => one - other)[Math.floor(costs.length / 2)] ?? 0
    return new InputChecker(
      feed,
      unhandled,
      baselineMs + CPU_MS * Math.max(1, calibrationMs() / REFERENCE_MS),
    )
  }

  /**
   * Hands over one input.
   *
   * @throws {SlowInputError} if it costs too much, each time
   * @throws {UnhandledError} if an error goes unhandled
   * @throws what the feed throws
   */
  async check(input: Input): Promise<void> {
    let costMs = Infinity
    for (let n = 0; n < MEASUREMENTS && costMs > this.#limitMs; n++) {
      costMs = Math.min(costMs, await this.#measure(input))
      if (n > 0 && costMs > CERTAIN * this.#limitMs) break
    }
    this.worstMs = Math.max(this.worstMs, costMs)
    if (costMs <= this.#limitMs) return
    const bytes = input.reduce((sum, it) => sum + it.byteLength, 0)
    throw new SlowInputError(
      `${bytes} bytes cost ${costMs.toFixed(0)} ms of processor time, more than ${this.#limitMs.toFixed(0)} ms`,
    )
  }

  async #measure(input: Input): Promise<number> {
    const before = process.cpuUsage()
    const answered = this.#feed(input)
    if (answered !== undefined) await inTime(answered, 'the input is answered', ANSWER_MS)
    const costMs = milliseconds(before)
    if (answered !== undefined) await this.#unhandled.check()
    return costMs
  }
}

function milliseconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1000
}
