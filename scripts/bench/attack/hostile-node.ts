/** A hostile node: a plain one, or one whose multiplexer is left to the attacker. */

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { bareMuxer } from '../../../test/fuzz/nodes.ts'
import type { Connection, Libp2p, MessageStream, StreamMuxerFactory } from '@libp2p/interface'

/** Attackers come from an address of their own. */
export const ATTACKERS = '127.0.0.2'

/** Time for one connection, in milliseconds. */
const DIAL_MS = 15_000

/** Streams without a limit. */
export const MANY_STREAMS = { maxOutboundStreams: Infinity, runOnLimitedConnection: true } as const

const STREAMS = { maxOutboundStreams: 1e6, maxInboundStreams: 1e6, maxEarlyStreams: 1e6 }

/** A node that stops at the end of its scope. */
export type HostileNode = Libp2p & AsyncDisposable

/** Starts one. */
export async function hostileNode(muxer?: () => StreamMuxerFactory): Promise<HostileNode> {
  return disposable(await createLibp2p(hostileOptions(muxer)))
}

/** Starts one that can dial circuits. */
export async function circuitNode(): Promise<HostileNode> {
  const { transports, ...options } = hostileOptions()
  const all = [...transports, circuitRelayTransport()]
  return disposable(await createLibp2p({ ...options, transports: all, services: { identify: identify() } }))
}

/** Opens a connection, whatever connections there are. */
export async function dial(node: Libp2p, addr: string): Promise<Connection> {
  return node.dial(multiaddr(addr), { force: true, signal: AbortSignal.timeout(DIAL_MS) })
}

/** A connection that has finished Noise. What is sent are the bytes of the multiplexer. */
export interface BareConnection extends AsyncDisposable {
  readonly connection: MessageStream
}

/** Opens one. */
export async function bareConnection(addr: string): Promise<BareConnection> {
  const opened = Promise.withResolvers<MessageStream>()
  const node = await hostileNode(bareMuxer(opened.resolve))
  try {
    await dial(node, addr)
  } catch (error) {
    await node.stop()
    throw error
  }
  const connection = await opened.promise
  const close = async (): Promise<void> => {
    connection.abort(new Error('done'))
    await node.stop()
  }
  return { connection, [Symbol.asyncDispose]: close }
}

function hostileOptions(muxer: () => StreamMuxerFactory = yamux(STREAMS)) {
  return {
    transports: [tcp({ dialOpts: { localAddress: ATTACKERS } as object })],
    connectionEncrypters: [noise()],
    streamMuxers: [muxer],
    connectionMonitor: { enabled: false },
    connectionManager: { maxParallelDials: 1000, maxDialQueueLength: 10_000 },
  }
}

function disposable(node: Libp2p): HostileNode {
  return Object.assign(node, { [Symbol.asyncDispose]: async () => node.stop() })
}
