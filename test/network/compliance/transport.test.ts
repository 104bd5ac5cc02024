/** libp2p's compliance tests for each encrypter of our nodes, and for the transport with it. */

import './mocha.ts'
import { describe } from 'node:test'
import { defaultLogger } from '@libp2p/logger'
import { TCP } from '@multiformats/multiaddr-matcher'
import { muxer } from '../../../src/muxer/muxer.ts'
import { nativeNoise } from '../../../src/patches/libp2p-noise/native-cipher.ts'
import { tcp } from '../../../src/transport/shared-port-tcp.ts'
import type { NoiseComponents } from '@chainsafe/libp2p-noise'
import type { ConnectionEncrypter } from '@libp2p/interface'

const { default: testEncrypter } = await import('@libp2p/interface-compliance-tests/connection-encryption')
const { default: testTransport } = await import('@libp2p/interface-compliance-tests/transport')

const encrypters: ReadonlyArray<[string, (components: NoiseComponents) => ConnectionEncrypter]> = [
  ['nativeNoise()', nativeNoise()],
]

const LISTEN = '/ip4/127.0.0.1/tcp/0'

const logger = defaultLogger()
const upgrader = { getStreamMuxers: () => new Map() }
const teardown = async (): Promise<void> => {}

for (const [name, encrypter] of encrypters) {
  describe(`${name} is an encrypter`, () => {
    // the suite passes an identity each time; its types leave it optional
    testEncrypter({
      setup: async identity => encrypter({ ...identity, logger, upgrader } as unknown as NoiseComponents),
      teardown,
    })
  })

  describe(`tcp() is a transport, with ${name}`, () => {
    const stack = { transports: [tcp()], connectionEncrypters: [encrypter], streamMuxers: [muxer()] }
    testTransport({
      setup: async () => ({
        dialer: stack,
        // the suite dials two addresses of one node
        listener: { ...stack, addresses: { listen: [LISTEN, LISTEN] } },
        dialMultiaddrMatcher: TCP,
        listenMultiaddrMatcher: TCP,
      }),
      teardown,
    })
  })
}
