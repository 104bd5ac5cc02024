/**
 * Takes what comes in on a stream, and holds it back when it cannot be passed on.
 *
 * Fault of `@libp2p/utils` 7.4.1: `resume()` of a stream first emits what it has buffered and only then opens
 * the window (abstract-message-stream.ts). The second half undoes a pause from within that emission, and the
 * stream goes on receiving into its buffer until it overflows. So a hold waits here until `resume()` has
 * returned.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import { raiseReadBufferLimit } from './read-buffer-limit.ts'
import type { MessageStream, Stream } from '@libp2p/interface'

const assertShape = shapeCheck('@libp2p/utils', {
  readStatus: 'string',
  pause: 'function',
  resume: 'function',
})

/** A stream, or a connection. */
export type Readable = MessageStream & Pick<Stream, 'readStatus'>

/** The readable half of one stream. The code that makes it listens to 'message' by itself. */
export class StreamIntake {
  readonly #stream: Readable
  #isHeld = false
  #isResuming = false

  /** @throws {UpstreamChangedError} */
  constructor(stream: Readable) {
    assertShape(stream)
    this.#stream = stream
    raiseReadBufferLimit(stream)
  }

  /** No more messages after the current one, until {@link release}. */
  hold(): void {
    this.#isHeld = true
    if (!this.#isResuming && this.#stream.readStatus === 'readable') this.#stream.pause()
  }

  /** Messages come again; the first of them during this call. */
  release(): void {
    this.#isHeld = false
    if (this.#isResuming || this.#stream.readStatus !== 'paused') return
    this.#isResuming = true
    try {
      this.#stream.resume()
    } catch {
      // The window update has no connection to go out on. What was buffered is delivered; 'close' tells the rest.
    }
    this.#isResuming = false
    if (this.#isHeld) this.hold()
  }
}
