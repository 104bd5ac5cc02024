/**
 * Takes what comes in on a stream, and holds it back when it cannot be passed on.
 *
 * `resume()` of a stream first emits what it has buffered and only then opens the window. Pausing from within that emission
 * would be undone by the second half, and the stream would go on receiving into its buffer until it overflowed
 * (@libp2p/utils 7.4.1 abstract-message-stream.ts `resume`). So the verdict waits here until it has returned.
 */

import type { Stream } from '@libp2p/interface'

/**
 * Unread bytes that a paused stream may hold, in bytes: the largest receive window that yamux has, and a frame to spare.
 *
 * A paused yamux stream takes in what is left of its window, and libp2p aborts a stream that holds more than
 * `maxReadBufferLength`, 4 MiB unless told otherwise, while yamux lets a window grow up to `MAX_STREAM_WINDOW`, 16 MiB
 * (@chainsafe/libp2p-yamux 8.0.1 constants.ts); the muxer of this program stops at 4 MiB, and that of an application that takes the parts
 * need not. So a fast remote and a slow local reader would end in StreamBufferError. The window is what bounds the memory, not this number.
 */
const PAUSED_STREAM_BYTES = 16 * 1024 * 1024 + 64 * 1024

/** The readable half of one stream. Whoever made it listens to 'message' by itself. */
export class StreamIntake {
  readonly #stream: Stream
  #isHeld = false
  #isResuming = false

  constructor(stream: Stream) {
    this.#stream = stream
    stream.maxReadBufferLength = Math.max(stream.maxReadBufferLength, PAUSED_STREAM_BYTES)
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
