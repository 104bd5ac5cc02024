/**
 * The libp2p stack that relay and peer have in common: identity, encryption, multiplexing, identify, ping.
 */

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { UnsupportedRuntimeError } from './errors.ts'
import { version } from './version.ts'
import type { Identify } from '@libp2p/identify'
import type { ComponentLogger, PrivateKey } from '@libp2p/interface'
import type { Ping } from '@libp2p/ping'
import type { Libp2pOptions } from 'libp2p'

// net.BoundSocket, which binds outbound sockets with SO_REUSEPORT, came with these (nodejs/node pull request 63951)
const FIRST_NODE = { 24: 19, 26: 4 } as const

/** The services that every node runs. */
export type CommonServices = { identify: Identify; ping: Ping }

/** The part of the libp2p configuration that does not depend on the role. */
export function commonOptions(init: {
  privateKey: PrivateKey
  logger?: ComponentLogger | undefined
}): Libp2pOptions<CommonServices> & { services: object } {
  return {
    privateKey: init.privateKey,
    ...(init.logger === undefined ? {} : { logger: init.logger }),
    nodeInfo: { name: 'throughnat', version },
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), ping: ping() },
  }
}

/** Throws `UnsupportedRuntimeError` where Node.js is older than 24.19, or a 26 older than 26.4. */
export function assertRuntime(nodeVersion: string = process.versions.node): void {
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number)
  const isNewEnough =
    major > 26 || (major === 26 && minor >= FIRST_NODE[26]) || (major === 24 && minor >= FIRST_NODE[24])
  if (isNewEnough) return
  throw new UnsupportedRuntimeError(
    `Node.js ${nodeVersion} cannot share a port between a listener and outbound sockets. Use Node.js 24.19 or later, or 26.4 or later.`,
  )
}
