/**
 * The libp2p stream that currently carries a resumable stream, from its handshake until it is lost or left.
 *
 * Invariant: after it is left or lost it makes no more callbacks.
 */

import { ConnectionClosedError } from '@libp2p/interface'
import { FrameReader } from './frames.ts'
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { FrameSink } from './frames.ts'

/** The callbacks of the carried stream. */
export interface Carried extends FrameSink {
  /** The other side sent something that is not a valid frame. */
  onInvalid: (error: Error) => void
  /** The carrier accepts data again. */
  onDrain: () => void
  /** The carrier was lost, without an end or a cut from either side. */
  onLost: (error: Error) => void
}

/**
 * Time to send the last frames, in milliseconds. libp2p allows as much to close a connection
 * (`CONNECTION_CLOSE_TIMEOUT`).
 */
const LEAVE_MS = 1_000

/** Why listeners are removed. Nobody reads it, and without a reason Node.js makes an exception with a stack each time. */
const STOPPED = new Error('The carrier is not used any more')

export class Carrier {
  readonly #stream: Stream
  readonly #carried: Carried
  readonly #reader: FrameReader
  readonly #listening = new AbortController()

  /** @param stream - after its handshake, and paused */
  constructor(stream: Stream, carried: Carried) {
    this.#stream = stream
    this.#carried = carried
    this.#reader = new FrameReader(carried)
  }

  /** Starts to read. The first frames may arrive during this call. */
  start(): void {
    const { signal } = this.#listening
    const stream = this.#stream
    stream.addEventListener('message', this.#onMessage, { signal })
    stream.addEventListener('drain', () => this.#carried.onDrain(), { signal })
    stream.addEventListener('end', () => this.#lose(), { signal })
    stream.addEventListener('close', ({ error }: StreamCloseEvent) => this.#lose(error), { signal })
    // a stream that is closed by now may still contain the `cut` that preceded
    if (stream.readStatus === 'paused') stream.resume()
    if (stream.status !== 'open' || stream.readableEnded) this.#lose()
  }

  /** True if the caller should wait before it sends more data. */
  get isFull(): boolean {
    return this.#stream.writableNeedsDrain
  }

  send(frame: Uint8Array | Uint8ArrayList): void {
    // a closed stream is reported at the start, or by its event
    if (this.#listening.signal.aborted || this.#stream.status !== 'open') return
    try {
      this.#stream.send(frame)
    } catch (error) {
      this.#lose(error as Error)
    }
  }

  /** Sends what is buffered, and closes the stream. */
  leave(): void {
    this.#stop()
    const stream = this.#stream
    const cut = (): void => stream.abort(new ConnectionClosedError('The stream has ended'))
    const timer = setTimeout(cut, LEAVE_MS).unref()
    stream.addEventListener('close', () => clearTimeout(timer), { once: true })
    stream.close().catch(cut)
  }

  /** Resets the stream. The carried stream continues elsewhere, or not at all. */
  drop(): void {
    this.#stop()
    this.#stream.abort(new ConnectionClosedError('The stream continues over another path'))
  }

  #stop(): void {
    this.#listening.abort(STOPPED)
    this.#reader.stop()
  }

  #onMessage = ({ data }: StreamMessageEvent): void => {
    try {
      this.#reader.push(data)
    } catch (error) {
      this.#carried.onInvalid(error as Error)
    }
  }

  #lose(cause?: Error): void {
    if (this.#listening.signal.aborted) return
    const error = cause ?? new ConnectionClosedError('The path to the remote peer was lost')
    this.#stop()
    this.#stream.abort(error)
    this.#carried.onLost(error)
  }
}
