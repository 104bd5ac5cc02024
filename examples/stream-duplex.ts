/** A libp2p stream as a Duplex of Node.js: for pipeline(), node:http and whatever else takes a socket. */

import { Duplex } from 'node:stream'
import type { Stream } from '@libp2p/interface'

type Done = (error?: Error | null) => void

/** Neither side outruns the other, and an end is an end: a stream that was cut is an error. */
export class StreamDuplex extends Duplex {
  readonly #stream: Stream
  #hasRemoteEnd: boolean

  constructor(stream: Stream) {
    super()
    this.#stream = stream
    this.#hasRemoteEnd = stream.remoteWriteStatus === 'closed'
    stream.maxReadBufferLength = 17 * 1024 * 1024 // a paused stream takes in its window, 16 MiB with yamux
    stream.addEventListener('message', ({ data }) => {
      this.push(data.subarray())
      const isFull = (): boolean => this.readableLength >= this.readableHighWaterMark
      // a resume() that is under way would undo a pause()
      queueMicrotask(() => isFull() && stream.readStatus === 'readable' && stream.pause())
    })
    stream.addEventListener('remoteCloseWrite', () => (this.#hasRemoteEnd = true))
    stream.addEventListener('end', () => this.#hasRemoteEnd && stream.status !== 'reset' && this.push(null))
    stream.addEventListener('close', ({ error }) => {
      const isClean = this.#hasRemoteEnd && this.writableEnded && this.writableLength === 0
      if (error != null || !isClean) this.destroy(error ?? new Error('the connection was closed'))
    })
    if (stream.readableEnded) this.push(null)
  }

  override _read(): void {
    if (this.#stream.readStatus === 'paused') this.#stream.resume()
  }

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    if (this.#stream.writeStatus !== 'writable') done(new Error('the stream is closed'))
    else if (this.#stream.send(chunk)) done()
    else this.#whenDrained(done)
  }

  #whenDrained(done: Done): void {
    // the stream sends its own backlog first, and may be full again after that
    const goOn = (): void => (this.#stream.writableNeedsDrain ? this.#whenDrained(done) : done())
    this.#stream.addEventListener('drain', () => queueMicrotask(goOn), { once: true })
  }

  override _final(done: Done): void {
    this.#stream.close().then(
      () => done(),
      () => done(new Error('the stream was closed before its end')),
    )
  }

  override _destroy(error: Error | null, done: Done): void {
    if (this.#stream.status === 'open') this.#stream.abort(error ?? new Error('the other end was closed'))
    done(error)
  }
}
