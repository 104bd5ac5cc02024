/**
 * Decrypts a message in the parts in which it came.
 *
 * Fault of `@chainsafe/libp2p-noise` 17.0.0: it joins the parts of each message that came in two reads, most
 * of them, into a copy that WebAssembly could decrypt in place (utils.ts, `decrypt`). The cipher of
 * key-objects.ts needs none.
 *
 * Upstream issue: not reported. The copy came with https://github.com/ChainSafe/js-libp2p-noise/pull/242
 */

import { shapeCheck } from '../expect-shape.ts'
import { patchSecured } from './secured.ts'
import type { ConnectionEncrypter } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'

type Bytes = Uint8Array | Uint8ArrayList

/** The private members of a secured connection that the patch needs. */
interface SecuredInternals {
  handshake: { decrypt(message: Bytes): Bytes }
  decrypt(message: Bytes): Bytes
}

const assertShape = shapeCheck('@chainsafe/libp2p-noise', {
  'handshake.decrypt': 'function',
  decrypt: 'function',
})

/**
 * Patches an encrypter. Its connections reject with `UpstreamChangedError` too.
 *
 * @throws {UpstreamChangedError}
 */
export function decryptWithoutCopy(encrypter: ConnectionEncrypter): void {
  patchSecured(encrypter, connection => {
    assertShape(connection)
    const internals = connection as SecuredInternals
    internals.decrypt = message => internals.handshake.decrypt(message)
  })
}
