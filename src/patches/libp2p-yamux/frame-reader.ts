/**
 * Reads frames from what comes in, at a cost that depends on the bytes and not on how they are cut. The faults
 * of the package's own reader are at the head of frame-turns.ts.
 */

import { InvalidMessageError } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { SmallPieces } from '../piece-joiner.ts'
import { ENDS, FrameType, HEADER_BYTES } from './internals.ts'
import type { Frame, FrameHeader } from './internals.ts'

/**
 * Frames of data up to this size, in bytes, are joined with those of the same stream that follow them. Larger
 * ones cost little more than their bytes, and joining would copy them.
 */
const SMALL_DATA_BYTES = 1024

/** What the reader asks. Both may throw, which ends the connection. */
export interface FrameReaderInit {
  /** Called with each header, also of frames that are joined with others. */
  onHeader: (header: FrameHeader) => void
  /** Called with the header of a data frame that is not whole yet. */
  onPartial: (header: FrameHeader) => void
}

export class FrameReader {
  readonly #init: FrameReaderInit
  readonly #head = new Uint8Array(HEADER_BYTES)
  #headBytes = 0
  /** Of the data frame whose data has not all come. */
  #header: FrameHeader | undefined
  #data = new Uint8ArrayList()
  #pieces = new SmallPieces()
  /** What was not looked at; the first part from this offset on. */
  #parts: Uint8Array[] = []
  #at = 0

  constructor(init: FrameReaderInit) {
    this.#init = init
  }

  /** The pieces of the data frame that is not whole. */
  get waiting(): Iterable<Uint8Array> {
    return this.#data
  }

  push(data: Uint8Array | Uint8ArrayList): void {
    for (const part of data instanceof Uint8Array ? [data] : data)
      if (part.byteLength > 0) this.#parts.push(part)
  }

  /** The next frame, or undefined if there is none that is whole. */
  next(): Frame | undefined {
    const header = (this.#header ??= this.#takeHeader())
    if (header === undefined) return undefined
    if (header.type !== FrameType.data) {
      this.#header = undefined
      return { header }
    }
    while (this.#data.byteLength < header.length) {
      const piece = this.#take(header.length - this.#data.byteLength)
      if (piece === undefined) {
        this.#init.onPartial(header)
        return undefined
      }
      this.#data.append(piece)
      if (this.#data.byteLength < header.length) this.#pieces.note(piece, this.#data)
    }
    const data = this.#data
    this.#data = new Uint8ArrayList()
    this.#pieces = new SmallPieces()
    this.#header = undefined
    return this.#joined({ header, data })
  }

  #takeHeader(): FrameHeader | undefined {
    const [part] = this.#parts
    let header: FrameHeader
    if (part !== undefined && this.#headBytes === 0 && part.byteLength - this.#at >= HEADER_BYTES) {
      header = decodeHeader(part, this.#at)
      this.#skip(HEADER_BYTES)
    } else {
      while (this.#headBytes < HEADER_BYTES) {
        const piece = this.#take(HEADER_BYTES - this.#headBytes)
        if (piece === undefined) return undefined
        this.#head.set(piece, this.#headBytes)
        this.#headBytes += piece.byteLength
      }
      this.#headBytes = 0
      header = decodeHeader(this.#head, 0)
    }
    this.#init.onHeader(header)
    return header
  }

  /** The next bytes that are in one part, no more than this many. */
  #take(maxBytes: number): Uint8Array | undefined {
    const [part] = this.#parts
    if (part === undefined) return undefined
    const piece = part.subarray(this.#at, this.#at + maxBytes)
    this.#skip(piece.byteLength)
    return piece
  }

  #skip(bytes: number): void {
    this.#at += bytes
    if (this.#at < (this.#parts[0]?.byteLength ?? 0)) return
    this.#parts.shift()
    this.#at = 0
  }

  /** The frame with the small ones of its stream that follow it in the same part. */
  #joined(frame: Frame & { data: Uint8ArrayList }): Frame {
    const { header, data } = frame
    if (header.length > SMALL_DATA_BYTES || (header.flag & ENDS) !== 0) return frame
    const [part] = this.#parts
    if (part === undefined) return frame
    const from = this.#at
    let to = from
    let length = header.length
    for (let next = this.#alike(part, to, header); next !== undefined; next = this.#alike(part, to, header)) {
      this.#init.onHeader(next)
      length += next.length
      to += HEADER_BYTES + next.length
    }
    if (to === from) return frame
    this.#skip(to - from)
    const bytes = new Uint8Array(length)
    bytes.set(data.subarray())
    for (let at = from, end = header.length; at < to; ) {
      const dataAt = at + HEADER_BYTES
      // less than 2^16, or it would not have been joined
      const size = (part[at + 10]! << 8) | part[at + 11]!
      for (at = dataAt; at < dataAt + size; at++) bytes[end++] = part[at]!
    }
    return { header: { ...header, length }, data: new Uint8ArrayList(bytes) }
  }

  /** The header of the frame that begins here, if it has small data of the same stream, no flags, and is whole. */
  #alike(part: Uint8Array, at: number, { streamID }: FrameHeader): FrameHeader | undefined {
    const left = part.byteLength - at - HEADER_BYTES
    if (left < 0 || part[at + 1] !== FrameType.data) return undefined
    const header = decodeHeader(part, at)
    const isAlike = header.flag === 0 && header.streamID === streamID
    return isAlike && header.length <= Math.min(SMALL_DATA_BYTES, left) ? header : undefined
  }
}

/** Reads a header, whose bytes are all there. @throws {InvalidMessageError} if it is of another version */
function decodeHeader(bytes: Uint8Array, at: number): FrameHeader {
  if (bytes[at] !== 0) throw new InvalidMessageError('A frame has an unknown version')
  return {
    type: bytes[at + 1]!,
    flag: (bytes[at + 2]! << 8) | bytes[at + 3]!,
    streamID: uint32(bytes, at + 4),
    length: uint32(bytes, at + 8),
  }
}

function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}
