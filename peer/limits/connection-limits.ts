/**
 * The numbers that limit the connections of remote peers. docs/services.md shows them.
 *
 * Named peers have places of their own, of both kinds. Connections that this node has dialled, and those to its relays,
 * are not limited.
 */

/** How long a stranger's connection may carry no stream of an application after its upgrade, in milliseconds. */
export const STRANGER_IDLE_MS = 30_000

/**
 * For how long an upgrade protects a stranger's circuit, in milliseconds: that of three exchanges (`MAX_ATTEMPTS`,
 * `EXCHANGE_TIMEOUT_MS`). A stranger can have several circuits wait for each other's upgrades.
 */
export const MAX_UPGRADE_MS = 45_000

/**
 * Connections that are established, by rank. libp2p has 300 for all (`MAX_CONNECTIONS`). Each direct one takes a file
 * descriptor, of which processes often have 1,024.
 */
export const CONNECTION_LIMITS = {
  /** From one peer that is named: a circuit for each relay, and direct ones that replace each other. */
  perNamedPeer: 64,
  /** From peers that use something now. */
  used: 512,
  /** From peers that used something lately. */
  known: 256,
  perKnownPeer: 64,
  /** From strangers. */
  strangers: 128,
  /** From strangers of one IPv4 /24 or IPv6 /56. */
  strangersPerNetwork: 32,
  /** From strangers over one relay. */
  strangersPerRelay: 64,
  /** From one stranger over one relay, or from one network. */
  perStranger: 8,
} as const

/**
 * Circuits of one relay that strangers may leave idle for longer than {@link SETTLED_MS}: half of the 16 circuits that
 * relays commonly allow a peer (go-libp2p's `MaxCircuits`, and the profiles `open` and `public`).
 */
export const IDLE_CIRCUITS_PER_RELAY = 8

/** Time in which a stranger's connection opens its first stream, in milliseconds: two slow round trips. */
export const SETTLED_MS = 2_000

/** The limits of strangers if the application does not rank its peers: everyone may be one that it waits for. */
export const LOOSE_STRANGERS = { strangers: 256, perStranger: 64 } as const

/** Connections that are being authenticated, which may take 10 s (libp2p's `INBOUND_UPGRADE_TIMEOUT`). */
export const PENDING_LIMITS = {
  /** Sockets at the peer's own port. */
  sockets: 128,
  /** Sockets from one IPv4 /24 or IPv6 /56. */
  socketsPerNetwork: 32,
  /**
   * New sockets per second from one IPv4 address or IPv6 /56, eight times the sockets that one network may keep silent.
   * One address may be a NAT with many hosts behind it, and the newest sockets displace the oldest anyway.
   */
  socketsPerSecond: 256,
  /** New circuits per second of strangers over one relay. */
  circuitsPerSecond: 64,
  /** Circuits of one relay: for strangers, and as many for peers of higher rank. */
  circuitsPerRelay: 64,
  /** Circuits from one peer over one relay. */
  circuitsPerPeer: 8,
} as const
