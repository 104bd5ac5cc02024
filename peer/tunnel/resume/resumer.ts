/**
 * The dialer's side of a resumable stream: moves it to a better path, and when its carrier is lost opens another, for as long as is worth it.
 *
 * The invariant: one attempt at a time, and none once the stream is closed.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { ConnectionClosedError } from '@libp2p/interface'
import { withDeadline } from '../../../src/time/deadline.ts'
import { resume } from './resume.ts'
import type { Stream } from '@libp2p/interface'
import type { ResumableStream } from './resumable-stream.ts'

/** How a stream is kept alive when its path changes or is lost. */
export interface ContinuityOptions {
  /** Calls `listener` whenever there is another path than before, until what it returns is called. Without it streams move only when theirs is lost. */
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

/** How long both sides keep a stream without a path, in milliseconds: a router that starts anew takes a minute or more. */
export const KEPT_MS = 120_000

/** Time for one attempt, in milliseconds: libp2p's for negotiation, and as long again for the answer (`PROTOCOL_NEGOTIATION_TIMEOUT`). */
const ATTEMPT_MS = 20_000

/** The pause before another attempt doubles from the first to the last, in milliseconds, less a random part of up to half. */
const PAUSE_MS = { first: 100, last: 2_000 } as const

export class Resumer {
  readonly #stream: ResumableStream
  readonly #openCarrier: (signal: AbortSignal) => Promise<Stream>
  readonly #keptMs: number
  readonly #closed = new AbortController()
  #isAtIt = false
  /** A path came while an attempt was being made. */
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
    // the other side may have cut it right behind its answer
    if (stream.status === 'open') stream.addEventListener('close', onClose, { once: true })
    else onClose()
  }

  /** The carrier is gone. */
  onLost = (): void => this.#ask()

  #ask(): void {
    this.#isAsked = true
    if (!this.#isAtIt) void this.#goOn()
  }

  async #goOn(): Promise<void> {
    this.#isAtIt = true
    let until = performance.now() + this.#keptMs
    // a remote that takes the stream and drops it again is not asked at once
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
        // a stream that did not get as far as leaving its path stays on it
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

  /** The stream leaves its carrier only once there is another to ask over. */
  async #attempt(signal: AbortSignal): Promise<void> {
    const carrier = await this.#openCarrier(signal)
    if ((await resume(this.#stream, carrier, signal)) === 'gone')
      this.#stream.abort(new ConnectionClosedError('The remote peer has ended the connection'))
    if (this.#stream.status !== 'open') carrier.abort(new ConnectionClosedError('The stream was closed'))
  }

  #giveUp(cause: unknown): void {
    const why = cause instanceof Error ? cause.message : String(cause)
    this.#stream.abort(
      new ConnectionClosedError(`No path to the remote peer for ${this.#keptMs / 1000} s: ${why}`),
    )
  }
}
