/**
 * The part of DER (ITU-T X.690) that certificates need: values with a tag of one byte and a definite, shortest length.
 */

/** Tags (X.680, 8.4). The tag of a constructed value contains 0x20. */
export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  /** `[0] EXPLICIT`, the version of a certificate. */
  version: 0xa0,
  /** `[3] EXPLICIT`, the extensions of a certificate. */
  extensions: 0xa3,
} as const

/** Lengths of up to two bytes are read. Every certificate that is accepted is shorter than 64 KiB. */
const MAX_LENGTH_BYTES = 2

/** Encodes a value: its contents are joined. */
export function encode(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents)
  return Buffer.concat([Buffer.of(tag, ...encodedLength(content.byteLength)), content])
}

function encodedLength(length: number): number[] {
  if (length < 0x80) return [length]
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
}

/** One value. */
export interface Value {
  readonly tag: number
  readonly content: Buffer
  /** The value with its tag and length. */
  readonly encoded: Buffer
}

/** Reads values one after the other. Each method throws a `RangeError` if the bytes are not as expected. */
export class DerReader {
  #rest: Buffer

  constructor(bytes: Uint8Array) {
    this.#rest = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** True if the next value has this tag. */
  isNext(tag: number): boolean {
    return this.#rest[0] === tag
  }

  /** Reads the next value, which must have this tag. Without a tag, any value is read. */
  read(tag?: number): Value {
    const { headerBytes, length } = readHeader(this.#rest)
    const end = headerBytes + length
    const found = this.#rest[0] ?? 0
    if (tag !== undefined && tag !== found) throw new RangeError(`expected the tag ${tag}, found ${found}`)
    if (end > this.#rest.byteLength) throw new RangeError('a value ends after its container')
    const value = {
      tag: found,
      content: this.#rest.subarray(headerBytes, end),
      encoded: this.#rest.subarray(0, end),
    }
    this.#rest = this.#rest.subarray(end)
    return value
  }

  /** A reader of what is in the next value. */
  enter(tag: number): DerReader {
    return new DerReader(this.read(tag).content)
  }

  get isAtEnd(): boolean {
    return this.#rest.byteLength === 0
  }

  /** Throws if anything is left. */
  end(): void {
    if (!this.isAtEnd) throw new RangeError(`${this.#rest.byteLength} bytes follow the last value`)
  }
}

function readHeader(bytes: Buffer): { headerBytes: number; length: number } {
  const [tag, first] = bytes
  if (tag === undefined || first === undefined) throw new RangeError('a value is missing')
  if ((tag & 0x1f) === 0x1f) throw new RangeError('a tag has more than one byte')
  if (first < 0x80) return { headerBytes: 2, length: first }
  const count = first & 0x7f
  if (count === 0 || count > MAX_LENGTH_BYTES || bytes.byteLength < 2 + count)
    throw new RangeError('a length is not definite, too long, or cut off')
  const length = bytes.readUIntBE(2, count)
  if (length < (count === 1 ? 0x80 : 0x100)) throw new RangeError('a length is not in its shortest form')
  return { headerBytes: 2 + count, length }
}
