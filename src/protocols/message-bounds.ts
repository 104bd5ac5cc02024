/**
 * How much a remote may make this side read, hold and decode for one message with its length before it.
 *
 * `lpStream` of @libp2p/utils 7.4.1 decodes a length again, with an exception, for each byte that arrives, and
 * accepts any number of bytes. So every reader gets a decoder that reads a length in constant time and refuses
 * the first byte that is too many. test/network/upstream-faults.test.ts fails when the fault is mended.
 *
 * Spec: https://github.com/multiformats/unsigned-varint
 */

import { InvalidMessageError } from '@libp2p/interface'
import type { LengthPrefixedStreamOpts } from '@libp2p/utils'

/** Reads a length. A RangeError asks for more bytes, any other error ends the stream. */
export type LengthDecoder = NonNullable<LengthPrefixedStreamOpts['lengthDecoder']>

/** The longest message that a length of three bytes can announce. */
const LONGEST_BYTES = 2 ** 21 - 1

/** Unread bytes that may wait beside one message: those of a remote that does not wait for answers. */
const MAX_UNREAD_BYTES = 64 * 1024

/** Made once, because an exception with a stack costs more than the byte that it asks for. */
const UNFINISHED = new RangeError('The length has not ended')

/**
 * Options for `lpStream` and `pbStream`.
 *
 * @param maxDataLength - the longest message, in bytes, less than 2 MiB
 */
export function messageBounds(maxDataLength: number): Partial<LengthPrefixedStreamOpts> {
  return {
    maxDataLength,
    maxBufferSize: maxDataLength + MAX_UNREAD_BYTES,
    lengthDecoder: lengthDecoder(maxDataLength),
  }
}

/** Decodes a minimal unsigned varint that has no more bytes than the longest message needs. */
export function lengthDecoder(maxDataLength: number): LengthDecoder {
  if (maxDataLength > LONGEST_BYTES) throw new RangeError(`${maxDataLength} bytes need a longer length`)
  const maxBytes = maxDataLength < 2 ** 7 ? 1 : maxDataLength < 2 ** 14 ? 2 : 3
  return bytes => {
    let length = 0
    for (let at = 0; at < maxBytes; at++) {
      if (at === bytes.byteLength) throw UNFINISHED
      const byte = bytes.get(at)
      length |= (byte & 0x7f) << (7 * at)
      if (byte >= 0x80) continue
      if (byte === 0 && at > 0) throw new InvalidMessageError('A length is not a minimal varint')
      return length
    }
    throw new InvalidMessageError(`A length has more than ${maxBytes} bytes`)
  }
}
