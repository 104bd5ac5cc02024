/**
 * Ends a connection whose remote sends many messages that carry nothing.
 *
 * Fault of `@chainsafe/libp2p-noise` 17.0.0: it skips any number of empty messages of two bytes, and decrypts
 * any number of those that contain nothing but their tag (utils.ts, `EncryptedMessageStream`). 1 MiB of either
 * takes 160 ms of processor and more. No implementation sends them.
 *
 * Upstream issue: not reported.
 */

import { InvalidMessageError } from '@libp2p/interface'
import { shapeCheck } from '../expect-shape.ts'
import { patchSecured } from './secured.ts'
import type { ConnectionEncrypter } from '@libp2p/interface'
import type { LengthDecoder } from '../../protocols/message-bounds.ts'

/** Bytes of the tag of a message (https://noiseprotocol.org/noise.html, 11.1). */
const TAG_BYTES = 16

/** Empty messages that a remote may send. */
const MAX_EMPTY = 16

interface SecuredInternals {
  readonly decoder: { lengthDecoder: LengthDecoder }
}

const assertShape = shapeCheck('@chainsafe/libp2p-noise', { 'decoder.lengthDecoder': 'function' })

/**
 * Patches an encrypter. Its connections reject with `UpstreamChangedError` too.
 *
 * @throws {UpstreamChangedError}
 */
export function refuseEmptyMessages(encrypter: ConnectionEncrypter): void {
  patchSecured(encrypter, connection => {
    assertShape(connection)
    countEmpty((connection as SecuredInternals).decoder)
  })
}

function countEmpty(decoder: SecuredInternals['decoder']): void {
  const { lengthDecoder } = decoder
  let empty = 0
  decoder.lengthDecoder = bytes => {
    const length = lengthDecoder(bytes)
    if (length <= TAG_BYTES && ++empty > MAX_EMPTY)
      throw new InvalidMessageError('The remote peer sent many messages that carry nothing')
    return length
  }
}
