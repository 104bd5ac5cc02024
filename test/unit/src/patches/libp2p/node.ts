/** Nodes of libp2p on loopback, and what libp2p hands to its services. */

import assert from 'node:assert/strict'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import type { Libp2p, Libp2pEvents, PeerId, PeerStore, StreamHandler } from '@libp2p/interface'
import type { AddressManager, ConnectionManager, TransportManager } from '@libp2p/interface-internal'
import type { Libp2pOptions } from 'libp2p'
import type { TypedEventTarget } from 'main-event'
import type { TestContext } from 'node:test'

/** What libp2p hands to a service. */
export interface Components {
  peerId: PeerId
  peerStore: PeerStore
  events: TypedEventTarget<Libp2pEvents>
  addressManager: AddressManager
  connectionManager: ConnectionManager
  transportManager: TransportManager
}

/** A node, and what its services are made of. */
export interface Node {
  node: Libp2p
  components: Components
}

const PROTOCOL = '/test/1'

/**
 * Starts a node that stops when the test is over.
 *
 * @param patch - a service that is made with the others
 */
export async function startNode(
  t: TestContext,
  patch: (components: Components) => unknown = () => {},
  options: Libp2pOptions = {},
): Promise<Node> {
  let components: Components | undefined
  const capture = (given: Components): object => {
    components = given
    patch(given)
    return {}
  }
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    ...options,
    services: { capture },
  })
  t.after(() => node.stop())
  assert.ok(components)
  return { node, components }
}

/** Opens a stream from one node to another. Resolves when that handles it. */
export async function openStream(from: Libp2p, to: Libp2p): Promise<void> {
  const { promise: handled, resolve } = Promise.withResolvers<void>()
  const handler: StreamHandler = stream => {
    stream.abort(new Error('the stream has been opened'))
    resolve()
  }
  await to.handle(PROTOCOL, handler)
  await from.dialProtocol(to.getMultiaddrs(), PROTOCOL)
  await handled
  await to.unhandle(PROTOCOL)
}
