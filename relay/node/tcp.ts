/**
 * The TCP transport of a relay, based on `@libp2p/tcp`.
 *
 * All writes to a peer within one turn of the event loop leave in as few system calls as possible. Reads are
 * large enough to keep up with that. A peer that acknowledges nothing is disconnected. With this transport,
 * negotiations are bounded on all of the node's transports.
 */

import { tcp } from '@libp2p/tcp'
import { boundNegotiations } from '../../src/patches/multistream-select/unbounded-negotiation.ts'
import { separateUpgradeSignals } from '../../src/patches/libp2p/upgrade-signals.ts'
import { coalesceWrites } from '../../src/patches/libp2p-tcp/coalesced-writes.ts'
import { watchOver } from '../../src/transport/keep-alive.ts'
import { SOCKET_BUFFER_BYTES } from '../../src/transport/socket-buffer.ts'
import type { TCPOptions } from '@libp2p/tcp'
import type { Transport, Upgrader } from '@libp2p/interface'
import type { NegotiationComponents } from '../../src/patches/multistream-select/unbounded-negotiation.ts'

/** Makes the transport. Use it in place of `tcp()`. */
export function coalescingTcp(init: TCPOptions): ReturnType<typeof tcp> {
  // `net.createServer` gets all of these, but the type of @libp2p/tcp declares only some
  const listenOpts = { ...init.listenOpts, highWaterMark: SOCKET_BUFFER_BYTES }
  const create = tcp({ ...init, listenOpts })
  return components => {
    const all = components as typeof components & NegotiationComponents
    boundNegotiations(all)
    separateUpgradeSignals(all.upgrader)
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
