/**
 * A relay under measurement: ours, the stock one, or a forwarder of plain TCP connections that shows what the machine can do.
 *
 * `stock` is `circuitRelayServer` with its limits lifted, on the same libp2p stack as ours, so that what differs is the relay;
 * `stock-defaults` is the same on noise and yamux as they come.
 */

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { pipeline } from 'node:stream'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import { createRelay } from '../../relay/index.ts'
import { keepYoungGenerationSmall } from '../../src/cli/runtime/v8-heap.ts'
import { ephemeralIdentity } from '../../src/files/identity.ts'
import { commonOptions } from '../../src/node/stack.ts'
import { quietLogger } from '../../src/patches/libp2p/quiet-logger.ts'
import { encryptersOf } from './encrypters.ts'
import { heapByConstructor } from './heap.ts'
import { startProfile, stopProfile } from './profile.ts'
import { programOptions, serve } from './serve.ts'
import { markUsage, settledUsage, usage } from './usage.ts'
import type { AddressInfo } from 'node:net'
import type { EncrypterName } from './encrypters.ts'

/** What can be measured. */
export type RelayKind = 'ours' | 'stock' | 'stock-defaults' | 'plain' | 'go'

interface RelayChildOptions {
  kind: RelayKind
  /** What it offers; without it, what its stack offers. */
  encrypters?: EncrypterName[] | undefined
  /** No limits at all, instead of those of the profile `private`. */
  isUnlimited?: boolean
}

type BareOptions = ReturnType<typeof commonOptions>

const LISTEN = ['/ip4/127.0.0.1/tcp/0']
const options = programOptions<RelayChildOptions>()

serve({
  start,
  mark: markUsage,
  usage,
  settledUsage,
  startProfile,
  stopProfile,
  heapByConstructor,
})

async function start({ forwardTo }: { forwardTo?: number }): Promise<{ addr: string; port: number }> {
  if (options.kind === 'plain') return { addr: '', port: await startForwarder(forwardTo ?? 0) }
  if (options.kind === 'ours') return { addr: await startOurs(), port: 0 }
  return { addr: await startStock(), port: 0 }
}

async function startOurs(): Promise<string> {
  const profile = options.isUnlimited === true ? 'custom' : 'private'
  // as throughnat-relay does
  keepYoungGenerationSmall()
  const logger = quietLogger()
  const relay = await createRelay({ listen: LISTEN, profile, ...(logger === undefined ? {} : { logger }) })
  return String(relay.addrs[0])
}

async function startStock(): Promise<string> {
  const bare = await bareOptions()
  const relay = circuitRelayServer({
    hopTimeout: 30_000,
    maxInboundHopStreams: 65_536,
    maxOutboundStopStreams: 65_536,
    reservations: { applyDefaultLimit: false, maxReservations: 65_536 },
  })
  const node = await createLibp2p({ ...bare, services: { ...bare.services, relay } })
  return String(node.getMultiaddrs()[0])
}

async function bareOptions(): Promise<BareOptions> {
  const common = commonOptions({ privateKey: await ephemeralIdentity() })
  const stock = { connectionEncrypters: [noise()], streamMuxers: [yamux()] }
  return {
    ...common,
    ...(options.kind === 'stock-defaults' ? stock : {}),
    ...(options.encrypters === undefined ? {} : { connectionEncrypters: encryptersOf(options.encrypters) }),
    addresses: { listen: LISTEN },
    transports: [tcp({ inboundSocketInactivityTimeout: 0, outboundSocketInactivityTimeout: 0 })],
    connectionManager: {
      maxConnections: 65_536,
      maxIncomingPendingConnections: 65_536,
      inboundConnectionThreshold: 65_536,
    },
  }
}

async function startForwarder(port: number): Promise<number> {
  const server = createServer(incoming => {
    const outgoing = connect({ port, host: '127.0.0.1' })
    const onEnd = (): void => {}
    pipeline(incoming, outgoing, onEnd)
    pipeline(outgoing, incoming, onEnd)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
