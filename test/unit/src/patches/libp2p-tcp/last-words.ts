/** What a connection that a listener has accepted sends right before the listener is closed. */

import { connect } from 'node:net'
import { defaultLogger } from '@libp2p/logger'
import { getNetConfig } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { once } from '../../../../waits.ts'
import type { CreateListenerOptions, Listener, MultiaddrConnection } from '@libp2p/interface'
import type { TCPComponents } from '@libp2p/tcp'

interface Listening {
  createListener(options: CreateListenerOptions): Listener
}

/** Sends so many bytes, closes, and resolves with the number of those that arrive. */
export async function lastWords(
  tcp: (components: TCPComponents) => Listening,
  bytes: number,
): Promise<number> {
  const { promise: accepted, resolve } = Promise.withResolvers<MultiaddrConnection>()
  const upgrader = { upgradeInbound: async (connection: MultiaddrConnection) => resolve(connection) }
  const transport = tcp({ logger: defaultLogger() } as TCPComponents)
  const listener = transport.createListener({ upgrader } as unknown as CreateListenerOptions)
  await listener.listen(multiaddr('/ip4/127.0.0.1/tcp/0'))
  const { host, port } = getNetConfig(listener.getAddrs()[0]!)
  const socket = connect({ host, port: port ?? 0 })
  let arrived = 0
  socket.on('data', data => (arrived += data.byteLength)).on('error', () => {})
  const ended = once(socket, 'close')
  const connection = await accepted
  connection.send(Buffer.alloc(bytes))
  await listener.close()
  await ended
  return arrived
}
