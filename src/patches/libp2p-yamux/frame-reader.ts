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
 * Frames of data up to this size, in bytes, are joined with others of the same stream that come with them, also where
 * other streams are in between. Larger ones cost little more than their bytes, and joining would copy them.
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
  /** Frames that were read with another one. */
  readonly #ready: Frame[] = []

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
    if (this.#ready.length > 0) return this.#ready.shift()
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

  /** The frame with the small ones that follow it in the same part, joined by their streams. */
  #joined(frame: Frame & { data: Uint8ArrayList }): Frame {
    const { header, data } = frame
    if (header.length > SMALL_DATA_BYTES || (header.flag & ENDS) !== 0) return frame
    const [part] = this.#parts
    if (part === undefined) return frame
    const from = this.#at
    const first: Join = { header: { ...header }, bytes: NO_BYTES, filled: 0 }
    const joins = new Map([[header.streamID, first]])
    /** The stream of each frame that follows. */
    const order: Join[] = []
    let join = first
    let to = from
    for (let next = smallFrame(part, to); next !== undefined; next = smallFrame(part, to)) {
      this.#init.onHeader(next)
      if (next.streamID !== join.header.streamID) join = joinOf(joins, next)
      join.header.length += next.length
      order.push(join)
      to += HEADER_BYTES + next.length
    }
    if (to === from) return frame
    for (const it of joins.values()) it.bytes = new Uint8Array(it.header.length)
    first.bytes.set(data.subarray())
    first.filled = header.length
    fill(order, part.subarray(from, to))
    this.#skip(to - from)
    for (const { header: of, bytes } of joins.values())
      this.#ready.push({ header: of, data: new Uint8ArrayList(bytes) })
    return this.#ready.shift()!
  }
}

/** The data of one stream that is joined. */
interface Join {
  readonly header: { -readonly [Field in keyof FrameHeader]: FrameHeader[Field] }
  bytes: Uint8Array
  /** How many bytes are there. */
  filled: number
}

const NO_BYTES = new Uint8Array(0)

function joinOf(joins: Map<number, Join>, { streamID, type }: FrameHeader): Join {
  let join = joins.get(streamID)
  if (join === undefined) {
    join = { header: { type, flag: 0, streamID, length: 0 }, bytes: NO_BYTES, filled: 0 }
    joins.set(streamID, join)
  }
  return join
}

/** Copies the data of whole small frames to what it is joined in. */
function fill(order: readonly Join[], frames: Uint8Array): void {
  let at = 0
  for (const join of order) {
    // less than 2^16, or it would not have been joined
    const size = (frames[at + 10]! << 8) | frames[at + 11]!
    at += HEADER_BYTES
    const { bytes } = join
    let { filled } = join
    for (const end = at + size; at < end; at++) bytes[filled++] = frames[at]!
    join.filled = filled
  }
}

/** The header of the frame that begins here, if it has small data, no flags, and is whole. */
function smallFrame(part: Uint8Array, at: number): FrameHeader | undefined {
  const left = part.byteLength - at - HEADER_BYTES
  if (left < 0 || part[at + 1] !== FrameType.data) return undefined
  const header = decodeHeader(part, at)
  return header.flag === 0 && header.length <= Math.min(SMALL_DATA_BYTES, left) ? header : undefined
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
