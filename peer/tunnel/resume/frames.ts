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
 * - `end`: there is no more data; it takes one position, so that it is acknowledged too. Once on each carrier
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

/** Pieces of data that are shorter, in bytes, are copied together: each costs the reader more than its bytes. */
const SMALL_BYTES = 1024

/** Room that is made for pieces that are copied together, in bytes. */
const JOINED_BYTES = 8 * 1024

/** Bytes of a header, by the type of the frame. */
const HEADER_BYTES: readonly number[] = [DATA_HEADER_BYTES, ACK_BYTES, 1, 1]

/**
 * Parses frames, regardless of how they were split on the way. Frames of a byte cost as much as their bytes: data
 * that arrives together is passed on together.
 */
export class FrameReader {
  readonly #sink: FrameSink
  /** What has arrived of a header that is incomplete. */
  readonly #header = Buffer.alloc(ACK_BYTES)
  #headerBytes = 0
  /** Bytes of the current `data` frame that have not arrived. */
  #dataLeft = 0
  #hasEnded = false
  readonly #data = new DataPieces()
  #isStopped = false

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** @throws {InvalidMessageError} if the bytes are not a frame */
  push(bytes: Uint8Array | Uint8ArrayList): void {
    for (const chunk of bytes instanceof Uint8Array ? [bytes] : bytes) this.#read(chunk)
    this.#passData()
  }

  /** Stops all callbacks. It may be called from within one. */
  stop(): void {
    this.#isStopped = true
  }

  #read(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.byteLength && !this.#isStopped; )
      at += this.#dataLeft > 0 ? this.#readData(chunk, at) : this.#readHeader(chunk, at)
  }

  /** Returns the number of bytes that were read. */
  #readData(chunk: Uint8Array, at: number): number {
    const count = Math.min(this.#dataLeft, chunk.byteLength - at)
    this.#dataLeft -= count
    this.#data.append(chunk, at, count)
    return count
  }

  #readHeader(chunk: Uint8Array, at: number): number {
    const type = (this.#headerBytes > 0 ? this.#header[0] : chunk[at]) ?? 0
    const size = HEADER_BYTES[type]
    if (size === undefined) {
      this.#passData()
      throw new InvalidMessageError(`Unknown frame type ${type}`)
    }
    const count = Math.min(size - this.#headerBytes, chunk.byteLength - at)
    for (let n = 0; n < count; n++) this.#header[this.#headerBytes++] = chunk[at + n] ?? 0
    if (this.#headerBytes === size) {
      this.#headerBytes = 0
      this.#onHeader(type)
    }
    return count
  }

  #onHeader(type: number): void {
    if (type === TYPES.data) {
      this.#dataLeft = this.#header.readUInt32BE(1)
      return
    }
    this.#passData()
    if (this.#isStopped) return
    if (type === TYPES.ack)
      this.#sink.onAck({ received: position(this.#header, 1), limit: position(this.#header, 9) })
    else if (type === TYPES.cut) this.#sink.onCut()
    else {
      if (this.#hasEnded) throw new InvalidMessageError('The end was sent twice')
      this.#hasEnded = true
      this.#sink.onEnd()
    }
  }

  #passData(): void {
    const bytes = this.#data.take()
    if (bytes !== undefined && !this.#isStopped) this.#sink.onData(bytes)
  }
}

/** Pieces of data that follow each other. Small ones are copied together, large ones are not copied. */
class DataPieces {
  #pieces: Uint8Array[] = []
  #joined: Buffer = Buffer.alloc(0)
  #joinedBytes = 0

  append(chunk: Uint8Array, at: number, count: number): void {
    if (count >= SMALL_BYTES) {
      this.#endJoined()
      this.#pieces.push(chunk.subarray(at, at + count))
      return
    }
    if (this.#joinedBytes + count > this.#joined.byteLength) {
      this.#endJoined()
      this.#joined = Buffer.allocUnsafe(JOINED_BYTES)
    }
    // for so few bytes this is faster than to make a view of them
    for (let n = 0; n < count; n++) this.#joined[this.#joinedBytes++] = chunk[at + n] ?? 0
  }

  take(): Uint8Array | Uint8ArrayList | undefined {
    this.#endJoined()
    const pieces = this.#pieces
    if (pieces.length === 0) return undefined
    this.#pieces = []
    return pieces.length === 1 ? pieces[0] : new Uint8ArrayList(...pieces)
  }

  #endJoined(): void {
    if (this.#joinedBytes === 0) return
    this.#pieces.push(this.#joined.subarray(0, this.#joinedBytes))
    this.#joined = this.#joined.subarray(this.#joinedBytes)
    this.#joinedBytes = 0
  }
}

/** @throws {InvalidMessageError} if it is no exact number */
function position(header: Buffer, at: number): number {
  const value = header.readUInt32BE(at) * 2 ** 32 + header.readUInt32BE(at + 4)
  if (value > Number.MAX_SAFE_INTEGER) throw new InvalidMessageError('A position is out of range')
  return value
}
