/**
 * Ends a connection whose remote sends many messages that carry nothing, or less than the header of a frame.
 *
 * Fault of `@chainsafe/libp2p-noise` 17.0.0: it skips any number of empty messages of two bytes, and decrypts
 * any number of those that contain nothing but their tag, or a byte (utils.ts, `EncryptedMessageStream`). 1 MiB of
 * either takes 160 ms of processor and more. No implementation sends empty ones. Multiplexers send a header of 12 bytes
 * and more in one message; only the rest of a full message may be smaller, and the lines of a negotiation.
 *
 * Upstream issue: not reported.
 */

import { InvalidMessageError } from '@libp2p/interface'
import { TokenBucket } from '../../limits/token-bucket.ts'
import { shapeCheck } from '../expect-shape.ts'
import { patchSecured } from './secured.ts'
import type { ConnectionEncrypter } from '@libp2p/interface'
import type { LengthDecoder } from '../../protocols/message-bounds.ts'

/** Bytes of the tag of a message (https://noiseprotocol.org/noise.html, 11.1). */
const TAG_BYTES = 16

/** The longest message of Noise, in bytes. What does not fit follows in another. */
const FULL_BYTES = 65_535

/** Header of a frame of yamux, in bytes (https://github.com/hashicorp/yamux/blob/master/spec.md). */
const HEADER_BYTES = 12

/** Empty messages that a remote may send. */
const MAX_EMPTY = 16

/** Messages of a byte and more, and less than a header, that a remote may send. */
const TINY = { capacity: 256, perSecond: 16 } as const

interface SecuredInternals {
  readonly decoder: { lengthDecoder: LengthDecoder }
}

const assertShape = shapeCheck('@chainsafe/libp2p-noise', { 'decoder.lengthDecoder': 'function' })

/**
 * Patches an encrypter. Its connections reject with `UpstreamChangedError` too.
 *
 * @throws {UpstreamChangedError}
 */
export function refuseTinyMessages(encrypter: ConnectionEncrypter): void {
  patchSecured(encrypter, connection => {
    assertShape(connection)
    countTiny((connection as SecuredInternals).decoder)
  })
}

function countTiny(decoder: SecuredInternals['decoder']): void {
  const { lengthDecoder } = decoder
  const tiny = new TokenBucket(TINY)
  let empty = 0
  let before = 0
  decoder.lengthDecoder = bytes => {
    const length = lengthDecoder(bytes)
    const isTiny = length < TAG_BYTES + HEADER_BYTES && before !== FULL_BYTES
    before = length
    if ((length <= TAG_BYTES && ++empty > MAX_EMPTY) || (isTiny && tiny.take(1) > 0))
      throw new InvalidMessageError('The remote peer sent many messages that carry little or nothing')
    return length
  }
}
