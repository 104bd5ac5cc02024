/**
 * `@libp2p/tcp` for a relay: what one turn of the event loop writes to a peer leaves in as few system calls as possible, and as much of it
 * as one turn brings in. A peer that acknowledges nothing is let go.
 */

import { tcp } from '@libp2p/tcp'
import { coalesceWrites } from '../../src/patches/libp2p-tcp/coalesced-writes.ts'
import { watchOver } from '../../src/transport/keep-alive.ts'
import { SOCKET_BUFFER_BYTES } from '../../src/transport/socket-buffer.ts'
import type { TCPOptions } from '@libp2p/tcp'
import type { Transport, Upgrader } from '@libp2p/interface'

/** Makes the transport, in place of `tcp()`. */
export function coalescingTcp(init: TCPOptions): ReturnType<typeof tcp> {
  // `net.createServer` is given all of these, and the type of @libp2p/tcp knows some of them
  const listenOpts = { ...init.listenOpts, highWaterMark: SOCKET_BUFFER_BYTES }
  const create = tcp({ ...init, listenOpts })
  return components => {
    const transport: Transport = create(components)
    const createListener = transport.createListener.bind(transport)
    transport.createListener = options => createListener({ ...options, upgrader: prepared(options.upgrader) })
    return transport
  }
}

function prepared(upgrader: Upgrader): Upgrader {
  const upgradeInbound: Upgrader['upgradeInbound'] = async (connection, options) =>
    upgrader.upgradeInbound(watchOver(coalesceWrites(connection)), options)
  return Object.assign(Object.create(upgrader) as Upgrader, { upgradeInbound })
}
