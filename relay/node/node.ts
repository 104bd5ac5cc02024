/** Makes the libp2p node of a relay: its transports, connection limits and services. */

import { tls } from '@libp2p/tls'
import { ipPortToMultiaddr } from '@libp2p/utils'
import { createLibp2p } from 'libp2p'
import { longestDurationMs } from '../../src/config/kinds/quantities.ts'
import { announceFilter } from '../../src/addresses/ranking.ts'
import { commonOptions } from '../../src/node/stack.ts'
import { coalescingTcp } from './tcp.ts'
import { ConnectionList } from '../../src/patches/libp2p/connection-list.ts'
import { DialBackServer } from '../dial-back/service.ts'
import { AddressWatch } from './address-watch.ts'
import { RelayConnectionGater } from './connection-gater.ts'
import { SocketSlots } from './socket-slots.ts'
import { circuitRelayHop } from '../hop/hop-service.ts'
import { IdentifySilentPeers } from './identify-silent-peers.ts'
import { NoPeerStore } from '../../src/patches/libp2p/no-peer-store.ts'
import { boundedWebSockets } from '../../src/patches/libp2p-websockets/pre-handshake-bounds.ts'
import type { ComponentLogger, Libp2p, PrivateKey } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'
import type { Socket } from 'node:net'
import type { Certificate } from './certificate.ts'
import type { RelayEvents } from '../events.ts'
import type { SocketSlot } from './socket-slots.ts'
import type { HopService } from '../hop/hop-service.ts'
import type { Limits } from '../limits/limits.ts'
import type { Admission } from '../admission/admission.ts'

/** The node, with the services that the relay uses. */
export type RelayLibp2p = Libp2p<{ relay: HopService; addresses: AddressWatch }>

/**
 * Silence on a connection after which the kernel asks whether the peer is still there, in milliseconds. Node asks 10
 * times, a second apart (libuv `uv_tcp_keepalive`), so a peer that has gone is noticed within 40 s; one that something
 * was sent to is noticed sooner, see `watchOver`. It also keeps the mappings of the peers' NATs: many home routers
 * forget idle ones after some minutes, whatever RFC 5382 (REQ-5) asks.
 */
const KEEP_ALIVE_MS = 30_000

/** Circuits over one connection if the limits are infinite. */
const MAX_CIRCUITS_PER_CONNECTION = 65_536

/** Streams of one connection in addition to circuits: requests, identify, ping. */
const OTHER_STREAMS = 64

/** Options of {@link createNode}. */
export interface NodeInit {
  /** Multiaddrs, as in `RelayInit`. */
  listen: readonly string[]
  /** Multiaddrs, as in `RelayInit`. @default what the node listens on */
  announce?: readonly string[] | undefined
  /** @default everybody is admitted */
  admission?: Admission | undefined
  logger?: ComponentLogger | undefined
  /** As in `RelayInit`. */
  dialBackToThisHost?: boolean | undefined
  reservationTtlMs: number
  privateKey: PrivateKey
  limits: Limits
  /** For `/tls/ws` listeners. */
  certificate: Certificate | undefined
  events: TypedEventTarget<RelayEvents>
}

/** Makes the node without starting it. */
export async function createNode(init: NodeInit): Promise<RelayLibp2p> {
  const { listen, announce = [], reservationTtlMs, limits, privateKey, certificate, events } = init
  const streamsPerConnection =
    Math.min(limits.maxCircuitsPerPeer, MAX_CIRCUITS_PER_CONNECTION) + OTHER_STREAMS
  const common = commonOptions({
    privateKey,
    logger: init.logger,
    // peers identify the relay; it does not need to know their protocols (see identify-silent-peers.ts)
    identify: { runOnConnectionOpen: false },
    yamux: {
      // yamux pings once, at the beginning, because windows grow by the round trip that it measures. After
      // that the kernel probes, see KEEP_ALIVE_MS
      keepAliveInterval: longestDurationMs,
      maxInboundStreams: streamsPerConnection,
      maxOutboundStreams: streamsPerConnection,
    },
  })
  const slots = new SocketSlots({ limits, events })
  const gater = new RelayConnectionGater(slots)
  return createLibp2p({
    ...common,
    start: false,
    // for peers that lack Noise or prefer TLS; a byte costs the relay as much with either
    // (docs/benchmarks.md)
    connectionEncrypters: [...(common.connectionEncrypters ?? []), tls()],
    addresses: {
      listen: [...listen],
      announce: [...announce],
      announceFilter: announceFilter(announce.length > 0),
    },
    // the kernel detects dead connections at almost no cost; pinging 10,000 peers every 10 s takes a whole
    // core
    connectionMonitor: { enabled: false },
    transports: [
      coalescingTcp({
        inboundSocketInactivityTimeout: 0,
        listenOpts: { keepAliveInitialDelay: KEEP_ALIVE_MS },
      }),
      boundedWebSockets(certificate === undefined ? {} : { https: certificate.serverOptions }, {
        onSocket: socket => slotOf(slots, socket),
        onConnection: (connection, slot) => gater.hold(connection, slot),
        keepAliveMs: KEEP_ALIVE_MS,
        ...(certificate === undefined ? {} : { onHttpsServer: server => certificate.serve(server) }),
      }),
    ],
    connectionGater: gater,
    connectionManager: {
      // libp2p refuses newcomers when it is full; the socket slots make room for them
      maxConnections: Infinity,
      maxIncomingPendingConnections: Infinity,
      inboundConnectionThreshold: Infinity,
    },
    services: {
      ...common.services,
      addresses: components => new AddressWatch(components, { listen, events }),
      connectionList: components => new ConnectionList(components),
      noPeerStore: components => new NoPeerStore(components),
      dialBack: components => new DialBackServer(components, init),
      identifySilentPeers: components => new IdentifySilentPeers(components, events),
      relay: circuitRelayHop({
        limits,
        reservationTtlMs,
        events,
        ...(init.admission === undefined ? {} : { admission: init.admission }),
      }),
    },
  }) as Promise<RelayLibp2p>
}

/** Takes a slot for a socket of a WebSocket listener. */
function slotOf(slots: SocketSlots, socket: Socket): SocketSlot | undefined {
  const { remoteAddress, remotePort } = socket
  // the remote has closed the socket already
  if (remoteAddress === undefined || remotePort === undefined) return undefined
  const slot = slots.take(ipPortToMultiaddr(remoteAddress, remotePort), () => socket.destroy())
  if (slot !== undefined) socket.once('close', () => slot.release())
  return slot
}
