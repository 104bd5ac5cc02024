/**
 * A stream whose reader may disappear at any time: a pipe into `head`, a closed terminal.
 *
 * A missing reader is not an error. The stream then drops what is written, and {@link Outlet.gone} fires.
 */

import type { Writable } from 'node:stream'

const readerGoneCodes: readonly string[] = [
  'EPIPE',
  'ECONNRESET',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
]

/** True if an error of a stream only means that its reader is gone. */
export function isReaderGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && readerGoneCodes.includes(String(error.code))
}

/** Wraps a stream that this process writes to and does not own. */
export class Outlet {
  readonly stream: Writable
  readonly #gone = new AbortController()

  constructor(stream: Writable) {
    this.stream = stream
    // stays attached: a late error must not end the process as an uncaught one
    stream.on('error', error => this.#gone.abort(error))
    stream.on('close', () => this.#gone.abort(closedError()))
  }

  /** Fires when writing has become useless. The reason is the stream's error. */
  get gone(): AbortSignal {
    return this.#gone.signal
  }

  /** Writes text, or drops it if the reader is gone. */
  write(text: string): void {
    if (this.gone.aborted || !this.stream.writable) return
    this.stream.write(text)
  }

  /** Resolves when everything written so far has left this process, or the reader is gone. */
  async flush(): Promise<void> {
    if (this.gone.aborted || this.stream.writableLength === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const done = (): void => resolve()
    this.gone.addEventListener('abort', done)
    if (this.stream.writableEnded) this.stream.once('finish', done)
    else this.stream.write('', done)
    await promise
    this.gone.removeEventListener('abort', done)
  }
}

function closedError(): Error {
  return Object.assign(new Error('The stream was closed.'), { code: 'ERR_STREAM_DESTROYED' })
}
