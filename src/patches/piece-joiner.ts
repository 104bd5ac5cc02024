/**
 * Joins the small pieces of a buffer, for the patches of buffers that keep them as they came.
 *
 * A buffer counts bytes. A remote that fills it with pieces of a byte takes a hundred times as much of the
 * memory, and each byte can hold on to the 64 KiB that it was decrypted with.
 */

import type { Uint8ArrayList } from 'uint8arraylist'

/**
 * So many pieces may come in before they are joined. Each holds on to 128 KiB at the most, two messages of
 * Noise; to join 4 MiB, a full window, takes 1 ms.
 */
const MAX_PIECES = 256

/**
 * Pieces from this size on, in bytes, are few enough as they are, and hold on to little more than themselves.
 */
const LARGE_BYTES = 16 * 1024

/** What has come into a buffer since its pieces were joined. */
export class SmallPieces {
  #pieces = 0
  #bytes = 0

  /** Data was put into the buffer; some of what is in there may have left. */
  note(data: Uint8Array | Uint8ArrayList, buffer: Uint8ArrayList): void {
    if (buffer.byteLength === 0) {
      this.#reset()
      return
    }
    this.#pieces += data instanceof Uint8Array ? 1 : [...data].length
    this.#bytes += data.byteLength
    if (this.#pieces < MAX_PIECES) return
    if (this.#bytes < this.#pieces * LARGE_BYTES) join(buffer)
    this.#reset()
  }

  #reset(): void {
    this.#pieces = 0
    this.#bytes = 0
  }
}

function join(buffer: Uint8ArrayList): void {
  const all = buffer.slice()
  buffer.consume(buffer.byteLength)
  buffer.append(all)
}
