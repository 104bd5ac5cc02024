/**
 * Reads the length of a message, without an exception where there is none.
 *
 * Fault of `@chainsafe/libp2p-noise` 17.0.0: after each message it looks for the length of the next one, and an
 * empty buffer makes a `RangeError` with a stack (encoder.ts, `uint16BEDecode`). That takes 22 us, a tenth of what
 * a round trip of 64 bytes costs an end of a tunnel.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import { patchSecured } from './secured.ts'
import type { ConnectionEncrypter } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { LengthDecoder } from '../../protocols/message-bounds.ts'

interface SecuredInternals {
  readonly decoder: { lengthDecoder: LengthDecoder }
}

/** Made once: its stack costs more than all else. */
const UNFINISHED = new RangeError('The length has not ended')

const assertShape = shapeCheck('@chainsafe/libp2p-noise', { 'decoder.lengthDecoder': 'function' })

/**
 * Patches an encrypter. Its connections reject with `UpstreamChangedError` too.
 *
 * @throws {UpstreamChangedError}
 */
export function expectLengths(encrypter: ConnectionEncrypter): void {
  patchSecured(encrypter, connection => {
    assertShape(connection)
    const { decoder } = connection as SecuredInternals
    decoder.lengthDecoder = readLength
  })
}

/** Reads 16 bits in network order. */
function readLength(bytes: Uint8Array | Uint8ArrayList): number {
  if (bytes.byteLength < 2) throw UNFINISHED
  const [high = 0, low = 0] = bytes.subarray(0, 2)
  return (high << 8) | low
}
