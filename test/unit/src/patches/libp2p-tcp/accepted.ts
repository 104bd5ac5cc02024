/** A connection that a listener of a TCP transport has accepted, and the socket at its other end. */

import { connect } from 'node:net'
import { defaultLogger } from '@libp2p/logger'
import { getNetConfig } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import type { CreateListenerOptions, Listener, MultiaddrConnection } from '@libp2p/interface'
import type { TCPComponents } from '@libp2p/tcp'
import type { Socket } from 'node:net'

/** A TCP transport, with or without patches. */
export interface Listening {
  createListener(options: CreateListenerOptions): Listener
}

/** Listens on loopback, connects, and resolves when the connection is accepted. The upgrade does nothing. */
export async function acceptedBy(
  tcp: (components: TCPComponents) => Listening,
): Promise<{ listener: Listener; connection: MultiaddrConnection; remote: Socket }> {
  const { promise: accepted, resolve } = Promise.withResolvers<MultiaddrConnection>()
  const upgrader = {
    upgradeInbound: async (connection: MultiaddrConnection) => resolve(connection),
    upgradeOutbound: async () => {},
    createInboundAbortSignal: () => new AbortController().signal,
    inboundUpgradeTimeout: 1_000,
    getConnectionEncrypters: () => new Map(),
  }
  const components = { logger: defaultLogger(), upgrader, events: new EventTarget(), registrar: {} }
  const transport = tcp(components as unknown as TCPComponents)
  const listener = transport.createListener({ upgrader } as unknown as CreateListenerOptions)
  await listener.listen(multiaddr('/ip4/127.0.0.1/tcp/0'))
  const { host, port } = getNetConfig(listener.getAddrs()[0]!)
  const remote = connect({ host, port: port ?? 0 })
  return { listener, remote, connection: await accepted }
}
