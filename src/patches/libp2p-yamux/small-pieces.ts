/**
 * Keeps what waits to be read in few pieces.
 *
 * A window counts bytes. A remote that fills it with pieces of a byte takes a hundred times as much of the memory, and each byte can hold on to the 64 KiB that it was decrypted
 * with: @chainsafe/libp2p-yamux 8.0.1 keeps the pieces of a frame that is not whole as they came (decode.ts), and @libp2p/utils 7.4.1 those of a stream that nobody reads
 * (abstract-message-stream.ts, `onData`).
 * test/network/upstream-faults.test.ts tells when it is mended.
 */

import { ofStreams } from './amend.ts'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { Amendment } from './amend.ts'

/** So many pieces may come in before they are joined. Each holds on to 128 KiB at the most, two messages of Noise; to join 4 MiB, a full window, takes 1 ms. */
const MAX_PIECES = 256

/** Pieces from this size on, in bytes, are few enough as they are, and hold on to little more than themselves. */
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

const ofEachStream = ofStreams(stream => {
  const waiting = new SmallPieces()
  const handleData = stream.handleData.bind(stream)
  stream.handleData = frame => {
    const { data } = frame
    // whoever reads it may take it apart
    const whole = data.sublist()
    handleData(frame)
    waiting.note(whole, stream.readBuffer)
  }
})

export const joinSmallPieces: Amendment = (muxer, connection) => {
  const waiting = new SmallPieces()
  const onData = muxer.onData.bind(muxer)
  muxer.onData = data => {
    onData(data)
    waiting.note(data, muxer.decoder.buffer)
  }
  ofEachStream(muxer, connection)
}
