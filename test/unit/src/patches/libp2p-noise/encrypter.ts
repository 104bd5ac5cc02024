/** Encrypters of Noise, stock or patched, without a node around them. */

import { noise } from '@chainsafe/libp2p-noise'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { defaultLogger } from '@libp2p/logger'
import type { NoiseComponents } from '@chainsafe/libp2p-noise'
import type { ConnectionEncrypter } from '@libp2p/interface'

/** Makes an encrypter, with a patch if there is one. */
export async function encrypterWith(
  patch: (encrypter: ConnectionEncrypter) => void = () => {},
): Promise<ConnectionEncrypter> {
  const components = {
    privateKey: await generateKeyPair('Ed25519'),
    logger: defaultLogger(),
    upgrader: { getStreamMuxers: () => new Map() },
  }
  const encrypter = noise()(components as unknown as NoiseComponents)
  patch(encrypter)
  return encrypter
}
