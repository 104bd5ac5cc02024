/**
 * The libp2p stream that carries a resumable stream now, from its handshake until it is lost or left.
 *
 * The invariant: once it is left or lost it calls nobody any more.
 */

import { ConnectionClosedError } from '@libp2p/interface'
import { FrameReader } from './frames.ts'
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { FrameSink } from './frames.ts'

/** Who is carried. */
export interface Carried extends FrameSink {
  /** The other side sent what is no frame, or a frame that cannot be. */
  onInvalid: (error: Error) => void
  /** The carrier takes data again. */
  onDrain: () => void
  /** Nothing more comes or goes by this carrier, and neither side has said why. */
  onLost: (error: Error) => void
}

/** Time for the last frames to get out, in milliseconds; as long as libp2p gives a connection (`CONNECTION_CLOSE_TIMEOUT`). */
const LEAVE_MS = 1_000

export class Carrier {
  readonly #stream: Stream
  readonly #carried: Carried
  readonly #reader: FrameReader
  readonly #listening = new AbortController()

  /** @param stream past its handshake, and paused */
  constructor(stream: Stream, carried: Carried) {
    this.#stream = stream
    this.#carried = carried
    this.#reader = new FrameReader(carried)
  }

  /** Begins to read; the first frames may come during this call. */
  start(): void {
    const { signal } = this.#listening
    const stream = this.#stream
    stream.addEventListener('message', this.#onMessage, { signal })
    stream.addEventListener('drain', () => this.#carried.onDrain(), { signal })
    stream.addEventListener('end', () => this.#lose(), { signal })
    stream.addEventListener('close', ({ error }: StreamCloseEvent) => this.#lose(error), { signal })
    // one that is closed by now may still hold the `cut` that came before
    if (stream.readStatus === 'paused') stream.resume()
    if (stream.status !== 'open' || stream.readableEnded) this.#lose()
  }

  /** Whether data should wait. */
  get isFull(): boolean {
    return this.#stream.writableNeedsDrain
  }

  send(frame: Uint8Array | Uint8ArrayList): void {
    // that it is closed is told when it starts, or by its event
    if (this.#listening.signal.aborted || this.#stream.status !== 'open') return
    try {
      this.#stream.send(frame)
    } catch (error) {
      this.#lose(error as Error)
    }
  }

  /** Lets what was sent get out, and closes the stream. */
  leave(): void {
    this.#stop()
    const stream = this.#stream
    const cut = (): void => stream.abort(new ConnectionClosedError('The stream has ended'))
    const timer = setTimeout(cut, LEAVE_MS).unref()
    stream.addEventListener('close', () => clearTimeout(timer), { once: true })
    stream.close().catch(cut)
  }

  /** Resets the stream: what it carries goes on elsewhere, or not at all. */
  drop(): void {
    this.#stop()
    this.#stream.abort(new ConnectionClosedError('The stream goes on over another path'))
  }

  #stop(): void {
    this.#listening.abort()
    this.#reader.stop()
  }

  #onMessage = ({ data }: StreamMessageEvent): void => {
    try {
      this.#reader.push(data)
    } catch (error) {
      this.#carried.onInvalid(error as Error)
    }
  }

  #lose(error: Error = new ConnectionClosedError('The path to the remote peer was lost')): void {
    if (this.#listening.signal.aborted) return
    this.#stop()
    this.#stream.abort(error)
    this.#carried.onLost(error)
  }
}
