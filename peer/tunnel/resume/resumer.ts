/**
 * The dialer's side of a resumable stream. It moves the stream to better paths. When the carrier is lost, it
 * opens another one, and gives up after a time limit.
 *
 * Invariant: there is one attempt at a time, and none after the stream is closed.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { ConnectionClosedError } from '@libp2p/interface'
import { withDeadline } from '../../../src/time/deadline.ts'
import { resume } from './resume.ts'
import type { Stream } from '@libp2p/interface'
import type { ResumableStream } from './resumable-stream.ts'

/** How a stream survives a change or loss of its path. */
export interface ContinuityOptions {
  /**
   * Calls `listener` whenever the path changes, until the returned function is called. Without it a stream
   * moves only when its path is lost.
   */
  onPath?: (listener: () => void) => () => void
  /**
   * Milliseconds that a stream waits for a path before it is reset.
   *
   * @default 120_000 as long as the listener keeps its side, see `ServicesLimits`
   */
  keptMs?: number
}

export interface ResumerInit extends ContinuityOptions {
  stream: ResumableStream
  openCarrier: (signal: AbortSignal) => Promise<Stream>
}

/**
 * How long both sides keep a stream without a path, in milliseconds. A router takes a minute or more to
 * restart.
 */
export const KEPT_MS = 120_000

/**
 * Time for one attempt, in milliseconds: libp2p's for negotiation (`PROTOCOL_NEGOTIATION_TIMEOUT`), and as
 * much for the answer.
 */
const ATTEMPT_MS = 20_000

/**
 * Pauses between attempts, in milliseconds. They double from the first to the last, and a random part of up
 * to half is subtracted.
 */
const PAUSE_MS = { first: 100, last: 2_000 } as const

export class Resumer {
  readonly #stream: ResumableStream
  readonly #openCarrier: (signal: AbortSignal) => Promise<Stream>
  readonly #keptMs: number
  readonly #closed = new AbortController()
  #isAtIt = false
  /** The path changed during an attempt. */
  #isAsked = false
  #movedAt = -Infinity
  #pauseMs: number = PAUSE_MS.first

  constructor({ stream, openCarrier, onPath, keptMs = KEPT_MS }: ResumerInit) {
    this.#stream = stream
    this.#openCarrier = openCarrier
    this.#keptMs = keptMs
    const unwatch = onPath?.(() => this.#ask())
    const onClose = (): void => {
      unwatch?.()
      this.#closed.abort()
    }
    // the other side may have cut the stream right after its answer
    if (stream.status === 'open') stream.addEventListener('close', onClose, { once: true })
    else onClose()
  }

  /** The carrier is lost. */
  onLost = (): void => this.#ask()

  #ask(): void {
    this.#isAsked = true
    if (!this.#isAtIt) void this.#goOn()
  }

  async #goOn(): Promise<void> {
    this.#isAtIt = true
    let until = performance.now() + this.#keptMs
    // wait before the next attempt if a remote accepts the stream and drops it again
    let isAtOnce = performance.now() - this.#movedAt > PAUSE_MS.last
    while (this.#isAsked && !this.#closed.signal.aborted) {
      if (isAtOnce) this.#pauseMs = PAUSE_MS.first
      else await this.#pause()
      isAtOnce = false
      this.#isAsked = false
      try {
        await withDeadline(ATTEMPT_MS, 'The remote peer did not answer', this.#closed.signal, async signal =>
          this.#attempt(signal),
        )
        this.#movedAt = performance.now()
        until = this.#movedAt + this.#keptMs
      } catch (cause) {
        // a stream that has not left its path stays on it
        this.#isAsked ||= !this.#stream.isCarried
        if (this.#isAsked && performance.now() > until) this.#giveUp(cause)
      }
    }
    this.#isAtIt = false
  }

  async #pause(): Promise<void> {
    const { signal } = this.#closed
    await pause(this.#pauseMs * (1 - Math.random() / 2), undefined, { signal }).catch(() => {})
    this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_MS.last)
  }

  /** The stream leaves its carrier only when a new one is open. */
  async #attempt(signal: AbortSignal): Promise<void> {
    const carrier = await this.#openCarrier(signal)
    if ((await resume(this.#stream, carrier, signal)) === 'gone')
      this.#stream.abort(new ConnectionClosedError('The remote peer has closed the connection'))
    if (this.#stream.status !== 'open') carrier.abort(new ConnectionClosedError('The stream was closed'))
  }

  #giveUp(cause: unknown): void {
    const why = cause instanceof Error ? cause.message : String(cause)
    this.#stream.abort(
      new ConnectionClosedError(`No path to the remote peer for ${this.#keptMs / 1000} s: ${why}`),
    )
  }
}
