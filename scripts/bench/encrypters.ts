/** How the connections between a peer and the relay are encrypted. */

import { tls } from '../../src/encryption/tls.ts'
import { nativeNoise } from '../../src/patches/libp2p-noise/native-cipher.ts'
import type { Libp2pOptions } from 'libp2p'

/** The encrypters by name. */
export type EncrypterName = 'noise' | 'tls'

/** In the order in which they are asked for. */
export function encryptersOf(
  names: readonly EncrypterName[],
): NonNullable<Libp2pOptions['connectionEncrypters']> {
  return names.map(name => (name === 'tls' ? tls() : nativeNoise()))
}
