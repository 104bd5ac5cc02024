/** A WebSocket listener on loopback, stock or patched, without a node around it. */

import { defaultLogger } from '@libp2p/logger'
import { getNetConfig } from '@libp2p/utils'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import type { CreateListenerOptions, Listener, MultiaddrConnection, Upgrader } from '@libp2p/interface'
import type { WebSocketsComponents } from '@libp2p/websockets'
import type { Server } from 'node:net'
import type { TestContext } from 'node:test'

/** Makes a listener that does not listen yet. Accepted connections are handed to the callback. */
export function createListener(onAccepted: (connection: MultiaddrConnection) => void = () => {}): Listener {
  return createListenerFor(upgraderFor(onAccepted))
}

/** Makes a listener that hands its connections to this upgrader. */
export function createListenerFor(upgrader: Upgrader): Listener {
  const components = { logger: defaultLogger(), events: new EventTarget() } as unknown as WebSocketsComponents
  return webSockets()(components).createListener({ upgrader } as unknown as CreateListenerOptions)
}

/** An upgrader that does nothing else. */
export function upgraderFor(onAccepted: (connection: MultiaddrConnection) => void): Upgrader {
  const upgradeInbound = async (connection: MultiaddrConnection): Promise<void> => onAccepted(connection)
  return { upgradeInbound } as unknown as Upgrader
}

/** Makes a listener listen until the test is over. Resolves with its port. */
export async function listen(t: TestContext, listener: Listener): Promise<number> {
  await listener.listen(multiaddr('/ip4/127.0.0.1/tcp/0/ws'))
  t.after(() => listener.close())
  return getNetConfig(listener.getAddrs()[0]!).port ?? 0
}

/** The TCP server of a listener. */
export function serverOf(listener: Listener): Server {
  return (listener as unknown as { server: Server }).server
}
