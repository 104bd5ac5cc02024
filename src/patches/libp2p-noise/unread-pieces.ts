/**
 * Keeps a message that has not come in whole in few pieces.
 *
 * Fault of `@libp2p/utils` 7.4.1, whose decoder `@chainsafe/libp2p-noise` uses: it keeps what it waits for in the
 * pieces in which it came (length-prefixed-decoder.ts), and `uint8arraylist` 3.0.2 takes them from the front of an
 * array one by one. A message of 64 KiB in pieces of a byte takes 4 s in one turn of the event loop.
 *
 * Upstream issue: not reported.
 */

import { shapeCheck } from '../expect-shape.ts'
import { SmallPieces } from '../piece-joiner.ts'
import { patchSecured } from './secured.ts'
import type { ConnectionEncrypter } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'

type Bytes = Uint8Array | Uint8ArrayList

interface SecuredInternals {
  readonly decoder: {
    readonly buffer: Uint8ArrayList
    decode: (data: Bytes) => Iterable<Bytes>
  }
}

const assertShape = shapeCheck('@chainsafe/libp2p-noise', {
  'decoder.buffer': 'object',
  'decoder.decode': 'function',
})

/**
 * Patches an encrypter. Its connections reject with `UpstreamChangedError` too.
 *
 * @throws {UpstreamChangedError}
 */
export function joinPiecesOfMessages(encrypter: ConnectionEncrypter): void {
  patchSecured(encrypter, connection => {
    assertShape(connection)
    joinPieces((connection as SecuredInternals).decoder)
  })
}

function joinPieces(decoder: SecuredInternals['decoder']): void {
  const decode = decoder.decode.bind(decoder)
  const pieces = new SmallPieces()
  decoder.decode = function* (data) {
    yield* decode(data)
    pieces.note(data, decoder.buffer)
  }
}
