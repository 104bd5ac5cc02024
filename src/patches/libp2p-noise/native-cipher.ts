/**
 * Noise as every node uses it: the encrypter of `@chainsafe/libp2p-noise` with all patches of this folder.
 */

import { noise } from '@chainsafe/libp2p-noise'
import { passDirectly } from '../libp2p-utils/direct-messages.ts'
import { decryptWithoutCopy } from './copied-messages.ts'
import { refuseTinyMessages } from './tiny-messages.ts'
import { keepKeyObjects } from './key-objects.ts'
import { expectLengths } from './message-lengths.ts'
import { patchSecured } from './secured.ts'
import { joinSmallMessages } from './small-messages.ts'

/**
 * Makes the encrypter, in place of `noise()`. Making it, or a connection, may throw `UpstreamChangedError`.
 */
export function nativeNoise(): ReturnType<typeof noise> {
  return components => {
    const encrypter = noise()(components)
    keepKeyObjects(encrypter)
    decryptWithoutCopy(encrypter)
    expectLengths(encrypter)
    refuseTinyMessages(encrypter)
    patchSecured(encrypter, passDirectly)
    // after that, which would pass by what it joins
    joinSmallMessages(encrypter)
    return encrypter
  }
}
