/**
 * The libp2p stack that relay and peer have in common: identity, encryption, multiplexing, identify, ping.
 */

import { ping } from '@libp2p/ping'
import { tls } from '../encryption/tls.ts'
import { muxer } from '../muxer/muxer.ts'
import { nativeNoise } from '../patches/libp2p-noise/native-cipher.ts'
import { plainIdentify } from '../patches/libp2p-identify/observed-address.ts'
import { version } from './version.ts'
import type { YamuxMuxerInit } from '@chainsafe/libp2p-yamux'
import type { Identify, IdentifyInit } from '@libp2p/identify'
import { ListenError } from '../errors.ts'
import type { ComponentLogger, Libp2p, PrivateKey } from '@libp2p/interface'
import type { Ping } from '@libp2p/ping'
import type { Libp2pOptions } from 'libp2p'

/**
 * Pings over one connection at a time: a new direct connection is proved by one while the application may send another. libp2p's remotes take two (`MAX_INBOUND_STREAMS` of
 * `@libp2p/ping`).
 */
const MAX_PINGS = 2

/** The services that every node runs. */
export type CommonServices = { identify: Identify; ping: Ping }

/** What the roles set apart in {@link commonOptions}. */
export interface CommonInit {
  privateKey: PrivateKey
  logger?: ComponentLogger | undefined
  identify?: IdentifyInit
  yamux?: YamuxMuxerInit
  /** Speaks TLS on TCP sockets, and prefers it to Noise. @default false */
  prefersTls?: boolean
}

/** The part of the libp2p configuration that does not depend on the role. */
export function commonOptions(init: CommonInit): Libp2pOptions<CommonServices> & { services: object } {
  return {
    privateKey: init.privateKey,
    ...(init.logger === undefined ? {} : { logger: init.logger }),
    nodeInfo: { name: 'throughnat', version },
    // on TCP sockets TLS comes first, see src/encryption/choice.ts
    connectionEncrypters: init.prefersTls === true ? [nativeNoise(), tls()] : [nativeNoise()],
    streamMuxers: [muxer(init.yamux)],
    services: {
      identify: plainIdentify(init.identify),
      ping: ping({ maxOutboundStreams: MAX_PINGS }),
    },
  }
}

/**
 * Starts a node.
 *
 * @throws {ListenError} if an address cannot be listened on; libp2p's own error quotes stacks
 */
export async function startNode(libp2p: Libp2p, listen: readonly string[]): Promise<void> {
  try {
    await libp2p.start()
  } catch (error) {
    const { name, message } = error as Error
    if (name !== 'UnsupportedListenAddressesError') throw error
    const [code] = /\bE[A-Z]{4,}\b/.exec(message) ?? []
    throw new ListenError(listen, LISTEN_PROBLEMS[code ?? ''] ?? code ?? 'no address could be listened on', {
      cause: error,
    })
  }
}

const LISTEN_PROBLEMS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there (EADDRINUSE)',
  EACCES: 'this user may not (EACCES); ports below 1024 need a privilege',
  EADDRNOTAVAIL: 'this machine has no such address (EADDRNOTAVAIL)',
}
