/** The configuration of the libp2p node that a peer is. */

import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { dialingWebSockets } from '../../src/transport/dialing-web-sockets.ts'
import { createLibp2p } from 'libp2p'
import { announceFilter } from '../../src/addresses/ranking.ts'
import { dialBack } from '../../src/protocols/autonat/service.ts'
import { longestDurationMs } from '../../src/config/kinds/quantities.ts'
import { LossyPaths } from '../../src/holepunch/paths/lossy-paths.ts'
import { HolePunchService } from '../../src/holepunch/service.ts'
import { BoundedPeerStore } from '../../src/patches/libp2p/bounded-peer-store.ts'
import { noteProtocolsOnce } from '../../src/patches/libp2p/repeated-protocols.ts'
import { commonOptions } from '../../src/node/stack.ts'
import { optimisticTransport } from '../../src/protocols/optimistic-upgrade.ts'
import { tcp } from '../../src/transport/shared-port-tcp.ts'
import { Dialer } from '../connections/dialer.ts'
import { allowDialsOf } from '../connections/dial-policy.ts'
import { ConnectionSlots } from '../limits/connection-slots.ts'
import { PendingConnections } from '../limits/pending-connections.ts'
import { OwnAddresses } from './own-addresses.ts'
import { portMapping } from '../port-mapping/service.ts'
import { ReservationKeeper } from '../relays/reservations/keeper.ts'
import { lastPeerId } from '../../src/addresses/circuit.ts'
import type { ComponentLogger, Libp2p, PeerId, PrivateKey } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TypedEventTarget } from 'main-event'
import type { Reach } from './own-addresses.ts'
import type { DialBackService } from '../../src/protocols/autonat/service.ts'
import type { PeerEvents } from './events.ts'
import type { PortMappingService } from '../port-mapping/service.ts'
import type { DialPolicy } from '../connections/dial-policy.ts'
import type { RelayList } from '../relays/relay-list.ts'
import type { Ranks } from '../limits/rank.ts'
import type { Storage } from './storage.ts'
import type { RelayAuth } from '../relays/relay-auth.ts'

/** What a peer's node runs besides what every node does. */
export type PeerServices = {
  dialBack: DialBackService
  ownAddresses: OwnAddresses
  portMapping: PortMappingService
  dcutr: HolePunchService
  reservations: ReservationKeeper
  dialer: Dialer
  boundedPeerStore: BoundedPeerStore
  connectionSlots: ConnectionSlots
}

/** What the node is made of. */
export interface NodeInit {
  privateKey: PrivateKey
  logger: ComponentLogger | undefined
  datastore: Storage['datastore'] | undefined
  listen: string[]
  relays: RelayList
  dialPolicy: DialPolicy
  /** How many reservations to hold. */
  reservations: number
  token: RelayAuth
  events: TypedEventTarget<PeerEvents>
  isRelay: (peerId: string) => boolean
  ranks: Ranks
  /** True while an upgrade of a circuit to this peer is under way. */
  isUpgrading: (peerId: PeerId) => boolean
  isReservedAt: (relay: PeerId) => boolean
  /** Has somebody else dial an address, and tells what came of it. */
  dialBack: (addr: Multiaddr) => Promise<Reach>
}

// The stock transport would look for relays among all peers that it meets, and make reservations of its own.
const NO_DISCOVERY = { has: () => true, add: () => {}, remove: () => {} }

/**
 * Streams of one connection, of each side. A tunnel has two while it moves from one path to another, and all tunnels of
 * a peer (1,024) may move at the same time. Beyond yamux's own 1,000, and 10 before this side has set up the connection,
 * the connection would be ended.
 */
export const MAX_STREAMS = 2_048

/** Where a peer listens: on this port of every interface. 0 selects a free one. */
export function listenAddrs(port: number): string[] {
  return [`/ip4/0.0.0.0/tcp/${port}`, `/ip6/::/tcp/${port}`]
}

/** Makes the node; it is started with `startNode`. */
export async function createNode(init: NodeInit): Promise<Libp2p<PeerServices>> {
  const lossyPaths = new LossyPaths()
  const isNamed = (peerId: PeerId): boolean => init.ranks.of(peerId.toString()) === 'named'
  const common = commonOptions({
    privateKey: init.privateKey,
    logger: init.logger,
    yamux: {
      // once, at the beginning: by the round trip that it measures, windows grow. Then the kernel asks, see src/transport/keep-alive.ts
      keepAliveInterval: longestDurationMs,
      maxInboundStreams: MAX_STREAMS,
      maxOutboundStreams: MAX_STREAMS,
      maxEarlyStreams: MAX_STREAMS,
    },
  })
  const node = await createLibp2p<PeerServices>({
    ...common,
    ...(init.datastore === undefined ? {} : { datastore: init.datastore }),
    start: false,
    addresses: { listen: init.listen, announceFilter: announceFilter() },
    // pings would use up what a relay allows a circuit, and cost every relay the processor
    connectionMonitor: { enabled: false },
    // libp2p's limits count all remotes together, so that one could lock out all others; see peer/limits
    connectionManager: {
      maxConnections: Infinity,
      maxIncomingPendingConnections: Infinity,
      inboundConnectionThreshold: Infinity,
    },
    connectionGater: new PendingConnections(init),
    transports: [
      tcp({ dialFromPunchPort: addr => init.isRelay(lastPeerId(addr)), resolve: init.dialPolicy.resolve }),
      // a circuit has the longest round trips, and is what everything else waits for
      optimisticTransport(
        circuitRelayTransport({ discoveryFilter: NO_DISCOVERY, maxInboundStopStreams: MAX_STREAMS }),
      ),
      // for relays on port 443 behind a proxy or with a certificate, where a network lets nothing else out
      dialingWebSockets(init.dialPolicy),
    ],
    services: {
      ...common.services,
      dcutr: components =>
        new HolePunchService(components, {}, lossyPaths, peerId =>
          init.ranks.isChosenPeer(peerId.toString()),
        ),
      dialBack: dialBack(),
      ownAddresses: components => new OwnAddresses(components, init.dialBack),
      // off until a relay has seen this peer behind a NAT
      portMapping: portMapping({
        enabled: false,
        verify: async addr => (await init.dialBack(addr)) === 'reached',
      }),
      boundedPeerStore: components => new BoundedPeerStore(components, isNamed),
      connectionSlots: components => new ConnectionSlots(components, init),
      dialer: components =>
        new Dialer(components, {
          relays: init.relays,
          token: init.token,
          lossyPaths,
          policy: init.dialPolicy,
        }),
      reservations: components =>
        new ReservationKeeper(components, {
          relays: init.relays,
          count: init.reservations,
          events: init.events,
          token: init.token,
        }),
    },
  })
  noteProtocolsOnce(node.peerStore)
  allowDialsOf(node, init.dialPolicy)
  return node
}
