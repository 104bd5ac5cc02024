/** Gives patches each connection that an encrypter has secured. */

import { shapeCheck } from '../expect-shape.ts'
import type { ConnectionEncrypter } from '@libp2p/interface'

const assertShape = shapeCheck('@chainsafe/libp2p-noise', {
  secureInbound: 'function',
  secureOutbound: 'function',
})

/**
 * Has an encrypter call `patch` with each connection that it has secured, in both directions. What `patch` throws rejects
 * the handshake.
 *
 * @throws {UpstreamChangedError}
 */
export function patchSecured(encrypter: ConnectionEncrypter, patch: (connection: object) => void): void {
  assertShape(encrypter)
  for (const method of ['secureInbound', 'secureOutbound'] as const) {
    const secure = encrypter[method].bind(encrypter)
    encrypter[method] = async (connection, options) => {
      const secured = await secure(connection, options)
      patch(secured.connection)
      return secured
    }
  }
}
