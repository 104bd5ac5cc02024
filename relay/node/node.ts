/** The libp2p node that a relay is. */

import { tls } from '@libp2p/tls'
import { createLibp2p } from 'libp2p'
import { longestDurationMs } from '../../src/config/quantities.ts'
import { announceFilter } from '../../src/addresses/ranking.ts'
import { guardedEncrypter } from '../../src/patches/multistream-select/endless-length.ts'
import { commonOptions } from '../../src/node/stack.ts'
import { coalescingTcp } from './tcp.ts'
import { KEEP_ALIVE_MS } from './keep-alive.ts'
import { ConnectionList } from '../../src/patches/libp2p/connection-list.ts'
import { DialBackServer } from '../dial-back/service.ts'
import { AddressWatch } from './address-watch.ts'
import { RelayConnectionGater } from './connection-gater.ts'
import { circuitRelayHop } from '../hop/hop-service.ts'
import { IdentifySilentPeers } from './identify-silent-peers.ts'
import { NoPeerStore } from '../../src/patches/libp2p/no-peer-store.ts'
import { boundedWebSockets } from '../../src/patches/libp2p-websockets/pre-handshake-bounds.ts'
import type { ComponentLogger, Libp2p, PrivateKey } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'
import type { Certificate } from './certificate.ts'
import type { RelayEvents } from '../events.ts'
import type { HopService } from '../hop/hop-service.ts'
import type { Limits } from '../limits/limits.ts'
import type { Admission } from '../admission/admission.ts'

/** The node with the services that the relay reaches for. */
export type RelayLibp2p = Libp2p<{ relay: HopService; addresses: AddressWatch }>

/** Circuits over one connection where the limits know no bound. */
const MAX_CIRCUITS_PER_CONNECTION = 65_536

/** Streams of one connection for all but circuits: requests, identify, ping. */
const OTHER_STREAMS = 64

/** What the node is made of. */
export interface NodeInit {
  /** Multiaddrs, as in `RelayInit`. */
  listen: readonly string[]
  /** Multiaddrs, as in `RelayInit`. @default what the node listens on */
  announce?: readonly string[] | undefined
  /** @default everybody is admitted */
  admission?: Admission | undefined
  logger?: ComponentLogger | undefined
  reservationTtlMs: number
  privateKey: PrivateKey
  limits: Limits
  /** For `/tls/ws`. */
  certificate: Certificate | undefined
  events: TypedEventTarget<RelayEvents>
}

/** Makes the node, which is still to be started. */
export async function createNode(init: NodeInit): Promise<RelayLibp2p> {
  const { listen, announce = [], reservationTtlMs, limits, privateKey, certificate, events } = init
  const streamsPerConnection =
    Math.min(limits.maxCircuitsPerPeer, MAX_CIRCUITS_PER_CONNECTION) + OTHER_STREAMS
  const common = commonOptions({
    privateKey,
    logger: init.logger,
    // peers identify the relay; it has no need to know what they can do (see identify-silent-peers.ts)
    identify: { runOnConnectionOpen: false },
    yamux: {
      // once, at the beginning: by the round trip that it measures, windows grow. Then the kernel asks, see KEEP_ALIVE_MS
      keepAliveInterval: longestDurationMs,
      maxInboundStreams: streamsPerConnection,
      maxOutboundStreams: streamsPerConnection,
    },
  })
  return createLibp2p({
    ...common,
    start: false,
    // for peers that have no Noise, or prefer TLS; a byte costs the relay as much with either (docs/benchmarks.md)
    connectionEncrypters: [...(common.connectionEncrypters ?? []), guardedEncrypter(tls())],
    addresses: {
      listen: [...listen],
      announce: [...announce],
      announceFilter: announceFilter(announce.length > 0),
    },
    // the kernel tells which connections are dead, for next to nothing: to ping each of 10,000 peers every 10 s takes a core
    connectionMonitor: { enabled: false },
    transports: [
      coalescingTcp({
        inboundSocketInactivityTimeout: 0,
        listenOpts: { keepAliveInitialDelay: KEEP_ALIVE_MS },
      }),
      boundedWebSockets(certificate === undefined ? {} : { https: certificate.serverOptions }, {
        maxConnections: limits.maxConnections,
        keepAliveMs: KEEP_ALIVE_MS,
        ...(certificate === undefined ? {} : { onHttpsServer: server => certificate.serve(server) }),
      }),
    ],
    connectionGater: new RelayConnectionGater(limits),
    connectionManager: {
      // libp2p's own caps (300 connections, 10 of them being set up, 5 a second from one address) choke a relay;
      // the gatekeeper counts by network
      maxConnections: limits.maxConnections,
      maxIncomingPendingConnections: limits.maxConnections,
      inboundConnectionThreshold: Infinity,
    },
    services: {
      ...common.services,
      addresses: components => new AddressWatch(components, { listen, events }),
      connectionList: components => new ConnectionList(components),
      noPeerStore: components => new NoPeerStore(components),
      dialBack: components => new DialBackServer(components),
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
