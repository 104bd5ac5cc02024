/** What a peer is to whoever embeds it. */

import type {
  AbortOptions,
  ComponentLogger,
  Libp2p,
  PeerId,
  PrivateKey,
  StreamHandler,
} from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TypedEventEmitter } from 'main-event'
import type { PeerConnection } from '../connections/connection.ts'
import type { PeerRank } from '../limits/rank.ts'
import type { PeerEvents, RelayStatus } from './events.ts'
import type { NetcheckReport } from '../netcheck/report.ts'

/** Options of {@link createPeer}. */
export interface PeerInit {
  /**
   * Addresses of relays, each ending in `/p2p/` and the relay's id, or names (`/dnsaddr/...`) that stand for some. Several addresses of one
   * relay count as one.
   */
  relays?: readonly (string | Multiaddr)[]
  /** A file with more of them, one a line; what follows `#` is passed over. It is read again when it changes. */
  relayFile?: string
  /**
   * How many relays hold a reservation for this peer at once; others step in when one is lost. As many as there are, if there are fewer.
   *
   * @default 2
   */
  reservations?: number
  /** Set to false for a peer that only dials: it uses the relays to find others and holds no reservation. */
  reserve?: boolean
  /** A token that the relays ask for; it is shown to those in `relays` and `relayFile` alone. At most 256 bytes. */
  relayToken?: string
  /**
   * The directory that keeps the identity and what is known of other peers. It is locked while the peer runs. Without it the peer has a new
   * identity at each start. A disk that is full or read-only is no error once there is an identity: see `storage:failed`.
   */
  dataDir?: string
  /** The identity, instead of the one in `dataDir`. */
  privateKey?: PrivateKey
  /**
   * The TCP port that is listened on and punched from, for IPv4 and IPv6; 0 for any that is free.
   *
   * @default 0
   */
  port?: number
  /**
   * Asks the router for a port (UPnP, NAT-PMP, PCP) once a relay has seen this peer from behind a NAT. The address is announced when a relay has reached it.
   *
   * @default true
   */
  portMapping?: boolean
  /**
   * Returns the rank of a remote peer, by its peer id. Each rank has places for connections of its own. If you give this option, connections of
   * strangers that carry no stream of an application for 30 s are closed. Peers that this peer connects to are always `named`. The function is
   * called often, and must be fast and not throw.
   *
   * @default all peers are strangers, and the oldest idle connections are closed only when places run out
   */
  rankOf?: (peerId: string) => PeerRank
  logger?: ComponentLogger
}

/** A running peer. */
export interface Peer extends TypedEventEmitter<PeerEvents>, AsyncDisposable {
  readonly peerId: PeerId
  /** Where others can reach this peer now: circuit addresses first, then those of its own network. */
  readonly addrs: readonly Multiaddr[]
  /** How it stands with each relay that this peer knows. */
  readonly relays: readonly RelayStatus[]
  /**
   * Resolves when a relay holds a reservation for this peer. Relays are asked for as long as the peer runs, so this
   * waits until `signal` fires, and rejects with its reason.
   */
  reachable(options?: AbortOptions): Promise<void>
  /**
   * Shows this token to the relays from now on, instead of the `relayToken` that the peer was created with. Relays that have refused the peer are asked again
   * immediately; reservations and connections that there are stay.
   */
  replaceRelayToken(token: string | undefined): void
  /** Handles streams that remote peers open for this protocol, on relayed and direct connections alike. */
  handle(protocol: string, handler: StreamHandler): Promise<void>
  /** Ends {@link handle}. */
  unhandle(protocol: string): Promise<void>
  /**
   * Connects to a remote peer: a circuit address, a direct address, or a peer id (found at this peer's relays).
   * Resolves as soon as there is a path, mostly a relayed one, which then is upgraded without being asked. A path that is lost is made
   * again until the connection is closed.
   *
   * @throws {InvalidTargetError} if the target cannot be understood
   * @throws {UnreachableError} if no path leads there
   */
  connect(target: string | Multiaddr | PeerId, options?: AbortOptions): Promise<PeerConnection>
  /**
   * Tells what the network does to connections, by way of this peer's relays, and what can be done about it. Takes up to 15 s; what is not known by then
   * is reported as unknown. Throws the reason of `signal`.
   */
  netcheck(options?: AbortOptions): Promise<NetcheckReport>
  /** Stops and frees everything; idempotent. */
  stop(): Promise<void>
  /** The node underneath, for what this interface does not offer. */
  readonly libp2p: Libp2p
}
