/**
 * How much a remote may make this side read and hold for one message with its length before it.
 *
 * `lpStream` of @libp2p/utils 7.4.1 looks at the length of a length only when that has ended, and decodes it anew, with an exception, for each byte that
 * comes: 60 kB of 0x80 keep the processor busy for a second. test/network/upstream-faults.test.ts tells when it is mended.
 */

import { InvalidMessageError } from '@libp2p/interface'
import type { LengthPrefixedStreamOpts } from '@libp2p/utils'

/** The longest message that a length of two bytes can tell. */
const LONGEST_BYTES = 2 ** 14 - 1

/** What may arrive that nobody has read yet, in bytes: a message, and the first bytes of a hasty remote. */
const MAX_UNREAD_BYTES = 64 * 1024

/**
 * Options for `lpStream` and `pbStream`.
 *
 * @param maxDataLength - the longest message, in bytes, less than 16 KiB
 */
export function messageBounds(maxDataLength: number): Partial<LengthPrefixedStreamOpts> {
  if (maxDataLength > LONGEST_BYTES) throw new RangeError(`${maxDataLength} bytes need a longer length`)
  return { maxDataLength, maxBufferSize: MAX_UNREAD_BYTES, lengthDecoder: decodeLength }
}

/** An unsigned varint of one or two bytes; a RangeError asks for more (https://github.com/multiformats/unsigned-varint). */
const decodeLength: LengthPrefixedStreamOpts['lengthDecoder'] = bytes => {
  const low = bytes.get(0)
  if (low < 0x80) return low
  if (bytes.byteLength < 2) throw new RangeError('the length has not ended')
  const high = bytes.get(1)
  if (high >= 0x80) throw new InvalidMessageError('The length of a message has more than two bytes')
  return (low & 0x7f) | (high << 7)
}
