/**
 * Output to a reader that may stop reading at any time, to a disk that may be full, to a terminal that may be stopped.
 *
 * What cannot be written waits in a bounded queue. Beyond the bound, lines are dropped until the queue is empty, and a line
 * says how many. The invariant: output never blocks the process, never ends it, and never grows without bound.
 */

import { sinkOf } from './sink.ts'
import type { Writable } from 'node:stream'
import type { Sink } from './sink.ts'

const readerGoneCodes: readonly string[] = [
  'EPIPE',
  'ECONNRESET',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
]

/** True if an error of a stream only means that its reader is gone. */
function isReaderGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && readerGoneCodes.includes(String(error.code))
}

/**
 * Most bytes that wait. A relay that stops reports 10,000 reservations and circuits in one turn of the event loop, some 8 MiB, and
 * none of it may be dropped where a reader is at work. One text that is longer is accepted when nothing waits.
 */
export const MAX_WAITING_BYTES: number = 16 * 1024 * 1024

/** Most bytes that are written at a time: what a pipe holds on Linux. */
const BATCH_BYTES = 64 * 1024

/** After an error, writing is tried again after this time, in milliseconds. */
const RETRY_MS = 1_000

/** What an {@link PipeSafeOutput} reports. */
export interface OutputReport {
  /** Writing has failed with this error code, or nobody reads and lines are dropped (undefined). Called once until all that waits is written. */
  troubled(code: string | undefined): void
  /** The line that stands for lines that were dropped. */
  describeLoss(count: number): string
}

/** Wraps a stream that this process writes to and does not own. */
export class PipeSafeOutput {
  readonly stream: Writable
  readonly #report: OutputReport
  readonly #gone = new AbortController()
  #sink: Sink | undefined
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #dropped = 0
  #isTroubled = false
  #isBusy = false
  #failure: string | undefined
  #retry: NodeJS.Timeout | undefined
  /** Called when nothing waits any more, or writing has failed. */
  readonly #onSettled = new Set<() => void>()

  constructor(stream: Writable, report: OutputReport) {
    this.stream = stream
    this.#report = report
    // Stays: an error that comes late must not end the process as an uncaught one.
    stream.on('error', error => {
      // another output may have written
      if (this.#sink !== undefined || isReaderGone(error)) this.#fail(error)
    })
    stream.on('close', () => this.#end(closedError()))
  }

  /** Fires when nobody reads any more; the reason is the stream's error. */
  get gone(): AbortSignal {
    return this.#gone.signal
  }

  /** The error code for which something waits now; undefined if there is none. */
  get failure(): string | undefined {
    return this.#failure
  }

  /**
   * Writes text, or drops it: when nobody reads any more, or when too much waits.
   *
   * @param options - `keep` is for text that must not be dropped because too much waits
   */
  write(text: string, { keep = false }: { keep?: boolean } = {}): void {
    if (this.gone.aborted) return
    const bytes = Buffer.from(text)
    const isFull = this.#waitingBytes > 0 && this.#waitingBytes + bytes.byteLength > MAX_WAITING_BYTES
    if (!keep && (isFull || this.#dropped > 0)) {
      this.#dropped += 1
      this.#trouble(undefined)
      return
    }
    if (keep) this.#admitLoss()
    this.#push(bytes)
    this.#pump()
  }

  /** Resolves when all that was written so far has left this process, or cannot leave it: nobody reads any more, or it fails. */
  async flush(): Promise<void> {
    if (this.#retry !== undefined) this.#retryNow()
    while (this.#waitingBytes > 0 && this.#retry === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#onSettled.add(resolve)
      await promise
    }
    if (this.gone.aborted || this.#sink === undefined || this.#failure !== undefined) return
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const onGone = (): void => end()
    this.gone.addEventListener('abort', onGone)
    await Promise.race([this.#sink.flush(), ended])
    this.gone.removeEventListener('abort', onGone)
  }

  #push(bytes: Buffer): void {
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.byteLength
  }

  /** Writes until nothing waits, or the sink has to be waited for. */
  #pump(): void {
    while (!this.#isBusy && this.#retry === undefined && this.#waiting.length > 0) {
      let taken: number | Promise<number>
      try {
        this.#sink ??= sinkOf(this.stream)
        taken = this.#sink.write(this.#batch())
      } catch (error) {
        this.#fail(error as Error)
        return
      }
      if (typeof taken === 'number') this.#consume(taken)
      else void this.#await(taken)
    }
  }

  async #await(taken: Promise<number>): Promise<void> {
    this.#isBusy = true
    const { error, count } = await taken.then(
      count => ({ count, error: undefined }),
      (error: Error) => ({ count: 0, error }),
    )
    this.#isBusy = false
    if (this.gone.aborted) return
    if (error !== undefined) this.#fail(error)
    else this.#consume(count)
    this.#pump()
  }

  #batch(): Buffer {
    const chosen: Buffer[] = []
    let bytes = 0
    for (const each of this.#waiting) {
      if (bytes > 0 && bytes + each.byteLength > BATCH_BYTES) break
      chosen.push(each)
      bytes += each.byteLength
    }
    return chosen.length === 1 ? (chosen[0] ?? Buffer.alloc(0)) : Buffer.concat(chosen)
  }

  #consume(count: number): void {
    if (count > 0) this.#failure = undefined
    this.#waitingBytes -= count
    let left = count
    let whole = 0
    for (const each of this.#waiting) {
      if (each.byteLength > left) break
      left -= each.byteLength
      whole += 1
    }
    this.#waiting.splice(0, whole)
    const [first] = this.#waiting
    if (first !== undefined && left > 0) this.#waiting[0] = first.subarray(left)
    if (this.#waiting.length > 0) return
    this.#isTroubled = false
    if (this.#dropped > 0) this.#admitLoss()
    else this.#settle()
  }

  #admitLoss(): void {
    if (this.#dropped === 0) return
    const count = this.#dropped
    this.#dropped = 0
    this.#push(Buffer.from(this.#report.describeLoss(count)))
  }

  #fail(error: Error): void {
    if (isReaderGone(error)) {
      this.#end(error)
      return
    }
    this.#failure = (error as NodeJS.ErrnoException).code ?? error.message
    this.#trouble(this.#failure)
    this.#retry ??= setTimeout(() => this.#retryNow(), RETRY_MS).unref()
    this.#settle()
  }

  #retryNow(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.#pump()
  }

  #end(error: Error): void {
    if (this.gone.aborted) return
    clearTimeout(this.#retry)
    this.#waiting = []
    this.#waitingBytes = 0
    this.#gone.abort(error)
    this.#settle()
  }

  #trouble(code: string | undefined): void {
    if (this.#isTroubled) return
    this.#isTroubled = true
    this.#report.troubled(code)
  }

  #settle(): void {
    for (const settled of this.#onSettled) settled()
    this.#onSettled.clear()
  }
}

function closedError(): Error {
  return Object.assign(new Error('The stream was closed.'), { code: 'ERR_STREAM_DESTROYED' })
}
