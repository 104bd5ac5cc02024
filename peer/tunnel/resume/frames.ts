/**
 * The frames of a resumable stream.
 *
 * Invariant: whatever bytes arrive, the reader buffers at most one header, and passes on or rejects the rest
 * immediately.
 * Spec: docs/tunnel-protocol.md, "Frames"
 */

import { InvalidMessageError } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'

/**
 * The first byte of a frame.
 *
 * - `data`: a length, and as many bytes of the stream
 * - `ack`: the position up to which everything was received, and the position up to which the other side may
 *   send
 * - `end`: there is no more data; it takes one position, so that it is acknowledged too
 * - `cut`: the stream is reset and must not be resumed
 */
const TYPES = { data: 0, ack: 1, end: 2, cut: 3 } as const

const DATA_HEADER_BYTES = 5
const ACK_BYTES = 17

/** What one side has received, and accepts. Positions count bytes from the start of the stream. */
export interface Acknowledgement {
  /** Everything before this position has been received. */
  received: number
  /** Data up to this position is accepted. */
  limit: number
}

/** Called for each frame in order; `onData` for each piece of one. */
export interface FrameSink {
  onData: (bytes: Uint8Array | Uint8ArrayList) => void
  onAck: (ack: Acknowledgement) => void
  onEnd: () => void
  onCut: () => void
}

export const END_FRAME: Uint8Array = Uint8Array.of(TYPES.end)
export const CUT_FRAME: Uint8Array = Uint8Array.of(TYPES.cut)

/** Writes a `data` frame around bytes, without copying them. */
export function encodeData(bytes: Uint8ArrayList): Uint8ArrayList {
  const header = Buffer.allocUnsafe(DATA_HEADER_BYTES)
  header.writeUInt8(TYPES.data)
  header.writeUInt32BE(bytes.byteLength, 1)
  return new Uint8ArrayList(header, bytes)
}

export function encodeAck({ received, limit }: Acknowledgement): Uint8Array {
  const frame = Buffer.alloc(ACK_BYTES)
  frame.writeUInt8(TYPES.ack)
  frame.writeBigUInt64BE(BigInt(received), 1)
  frame.writeBigUInt64BE(BigInt(limit), 9)
  return frame
}

/** Parses frames, regardless of how they were split on the way. */
export class FrameReader {
  readonly #sink: FrameSink
  readonly #pending = new Uint8ArrayList()
  /** Bytes of the current `data` frame that have not arrived. */
  #dataLeft = 0
  #isStopped = false

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** @throws {InvalidMessageError} if the bytes are not a frame */
  push(bytes: Uint8Array | Uint8ArrayList): void {
    this.#pending.append(bytes)
    let hasMore = true
    while (hasMore && !this.#isStopped && this.#pending.byteLength > 0) hasMore = this.#next()
  }

  /** Stops all callbacks. It may be called from within one. */
  stop(): void {
    this.#isStopped = true
  }

  /** Handles a frame or a piece of one. Returns false if more bytes are needed. */
  #next(): boolean {
    if (this.#dataLeft > 0) {
      const bytes = this.#take(Math.min(this.#dataLeft, this.#pending.byteLength))
      this.#dataLeft -= bytes.byteLength
      this.#sink.onData(bytes)
      return true
    }
    switch (this.#pending.get(0)) {
      case TYPES.data:
        return this.#onDataHeader()
      case TYPES.ack:
        return this.#onAck()
      case TYPES.end:
        this.#take(1)
        this.#sink.onEnd()
        return true
      case TYPES.cut:
        this.#take(1)
        this.#sink.onCut()
        return true
      default:
        throw new InvalidMessageError(`Unknown frame type ${this.#pending.get(0)}`)
    }
  }

  #onDataHeader(): boolean {
    if (this.#pending.byteLength < DATA_HEADER_BYTES) return false
    this.#dataLeft = this.#take(DATA_HEADER_BYTES).getUint32(1)
    return true
  }

  #onAck(): boolean {
    if (this.#pending.byteLength < ACK_BYTES) return false
    const frame = this.#take(ACK_BYTES)
    this.#sink.onAck({ received: position(frame.getBigUint64(1)), limit: position(frame.getBigUint64(9)) })
    return true
  }

  #take(length: number): Uint8ArrayList {
    const bytes = this.#pending.sublist(0, length)
    this.#pending.consume(length)
    return bytes
  }
}

function position(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new InvalidMessageError('A position is out of range')
  return Number(value)
}
