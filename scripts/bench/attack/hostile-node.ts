/** A hostile node: a plain one, or one whose multiplexer is left to the attacker. */

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import { bareMuxer } from '../../../test/fuzz/nodes.ts'
import type { Libp2p, MessageStream, StreamMuxerFactory } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Attackers come from an address of their own. */
const SOURCE = '127.0.0.2'

const STREAMS = { maxOutboundStreams: 1e6, maxInboundStreams: 1e6, maxEarlyStreams: 1e6 }

/** Starts one. */
export async function hostileNode(muxer: () => StreamMuxerFactory = yamux(STREAMS)): Promise<Libp2p> {
  return createLibp2p({ ...hostileOptions(), streamMuxers: [muxer] })
}

/** Starts one that can dial circuits. */
export async function circuitNode(): Promise<Libp2p> {
  const options = hostileOptions()
  return createLibp2p({
    ...options,
    transports: [...options.transports, circuitRelayTransport()],
    streamMuxers: [yamux(STREAMS)],
    services: { identify: identify() },
  })
}

function hostileOptions() {
  return {
    transports: [tcp({ dialOpts: { localAddress: SOURCE } as object })],
    connectionEncrypters: [noise()],
    connectionMonitor: { enabled: false },
    connectionManager: { maxParallelDials: 1000, maxDialQueueLength: 10_000 },
  }
}

/** Connects over Noise. What is sent are the bytes of the multiplexer. */
export async function bareConnection(addr: Multiaddr): Promise<{ node: Libp2p; connection: MessageStream }> {
  const opened = Promise.withResolvers<MessageStream>()
  const node = await hostileNode(bareMuxer(opened.resolve))
  await node.dial(addr, { signal: AbortSignal.timeout(10_000) })
  return { node, connection: await opened.promise }
}
