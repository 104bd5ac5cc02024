/**
 * The limits of a relay: reservations, circuits, bytes and rates. Every number that bounds a remote peer is
 * here.
 *
 * `Infinity` means no limit. The profiles are starting points; each limit can be set on its own.
 */

/** The limits of a relay. */
export interface Limits {
  /** Simultaneous connections of peers, with and without reservations. */
  maxConnections: number
  /** Simultaneous connections from one network: an IPv4 address, or an IPv6 /56. */
  maxConnectionsPerNetwork: number
  /** Simultaneous reservations. A peer has at most one; a second request refreshes it. */
  maxReservations: number
  /** Reservations of peers from one IPv4 address. */
  maxReservationsPerIpv4: number
  /** Reservations of peers from one IPv6 /56, the size that a site gets (RFC 6177). */
  maxReservationsPerIpv6Site: number
  /** Simultaneous circuits, including those being opened. */
  maxCircuits: number
  /** Simultaneous circuits that begin or end at one peer. */
  maxCircuitsPerPeer: number
  /** Simultaneous circuits between two peers, in either direction. */
  maxCircuitsPerPair: number
  /** Bytes that one circuit carries in each direction before the relay resets it. */
  circuitBytes: number
  /**
   * How long a circuit lasts before the relay resets it, in milliseconds; at most 24 days. The relay sends it
   * to peers in whole seconds.
   */
  circuitDurationMs: number
  /**
   * Bytes per second of one circuit, both directions together. The relay slows senders down and does not cut
   * the circuit.
   */
  circuitBytesPerSecond: number
  /** Bytes per second of all circuits of one peer. */
  peerBytesPerSecond: number
  /** Bytes per second of all circuits. */
  totalBytesPerSecond: number
  /** New connections per second from one IPv4 address or IPv6 /56. */
  connectionsPerSecondPerIp: number
  /** Requests for reservations per second from one IPv4 address or IPv6 /56, including refreshes. */
  reservationsPerSecondPerIp: number
  /** Requests for circuits per second from one IPv4 address or IPv6 /56. */
  circuitsPerSecondPerIp: number
}

/** Limits that replace those of a profile. `undefined` replaces nothing. */
export type LimitOverrides = { readonly [Name in keyof Limits]?: Limits[Name] | undefined }

/** The names of the profiles. */
export const profileNames = ['open', 'private', 'public', 'custom'] as const

/** The profile that applies if none is named. */
export const DEFAULT_PROFILE: ProfileName = 'open'

/** The name of a set of limits. */
export type ProfileName = (typeof profileNames)[number]

/**
 * - `open`: anyone may use the relay. Circuits have no limit of data or time. Bandwidth and numbers are
 *   limited, so that a small host can afford it.
 * - `private`: for peers that the operator has admitted. Circuits carry any amount of data for any time. Only
 *   the numbers that keep the relay itself alive are limited. `throughnat-relay` generates a token if no
 *   other admission rule is given.
 * - `public`: the conventions of the libp2p network (go-libp2p p2p/protocol/circuitv2/relay/resources.go):
 *   128 KiB in each direction and 2 min per circuit, 16 circuits per peer, 8 reservations per IP address.
 * - `custom`: nothing is limited except what you set.
 */
export const profiles: Readonly<Record<ProfileName, Limits>> = {
  open: {
    maxConnections: 1024,
    maxConnectionsPerNetwork: 256,
    // go-libp2p's `MaxReservations`
    maxReservations: 128,
    // peers of one office share an address
    maxReservationsPerIpv4: 64,
    maxReservationsPerIpv6Site: 64,
    maxCircuits: 1024,
    maxCircuitsPerPeer: 16,
    maxCircuitsPerPair: 8,
    circuitBytes: Infinity,
    circuitDurationMs: Infinity,
    circuitBytesPerSecond: 2 * 1024 * 1024,
    peerBytesPerSecond: 2 * 1024 * 1024,
    totalBytesPerSecond: 16 * 1024 * 1024,
    connectionsPerSecondPerIp: 64,
    reservationsPerSecondPerIp: 64,
    circuitsPerSecondPerIp: 64,
  },
  private: {
    maxConnections: 16_384,
    maxConnectionsPerNetwork: Infinity,
    maxReservations: 4096,
    maxReservationsPerIpv4: Infinity,
    maxReservationsPerIpv6Site: Infinity,
    maxCircuits: 16_384,
    // each client of a service may use its own circuit
    maxCircuitsPerPeer: 1024,
    maxCircuitsPerPair: 64,
    circuitBytes: Infinity,
    circuitDurationMs: Infinity,
    circuitBytesPerSecond: Infinity,
    peerBytesPerSecond: Infinity,
    totalBytesPerSecond: Infinity,
    // peers of one office or carrier share an address, and all reconnect together when the relay has
    // restarted
    connectionsPerSecondPerIp: 500,
    reservationsPerSecondPerIp: 500,
    circuitsPerSecondPerIp: 500,
  },
  public: {
    maxConnections: 8192,
    maxConnectionsPerNetwork: 64,
    maxReservations: 1024,
    maxReservationsPerIpv4: 8,
    maxReservationsPerIpv6Site: 8,
    maxCircuits: 2048,
    maxCircuitsPerPeer: 16,
    maxCircuitsPerPair: 4,
    circuitBytes: 128 * 1024,
    circuitDurationMs: 120_000,
    circuitBytesPerSecond: Infinity,
    peerBytesPerSecond: Infinity,
    totalBytesPerSecond: Infinity,
    connectionsPerSecondPerIp: 16,
    reservationsPerSecondPerIp: 16,
    circuitsPerSecondPerIp: 16,
  },
  custom: {
    maxConnections: Infinity,
    maxConnectionsPerNetwork: Infinity,
    maxReservations: Infinity,
    maxReservationsPerIpv4: Infinity,
    maxReservationsPerIpv6Site: Infinity,
    maxCircuits: Infinity,
    maxCircuitsPerPeer: Infinity,
    maxCircuitsPerPair: Infinity,
    circuitBytes: Infinity,
    circuitDurationMs: Infinity,
    circuitBytesPerSecond: Infinity,
    peerBytesPerSecond: Infinity,
    totalBytesPerSecond: Infinity,
    connectionsPerSecondPerIp: Infinity,
    reservationsPerSecondPerIp: Infinity,
    circuitsPerSecondPerIp: Infinity,
  },
}

/** The limits of a profile, with overrides applied. */
export function limitsOf(profile: ProfileName = DEFAULT_PROFILE, overrides: LimitOverrides = {}): Limits {
  const names = Object.keys(profiles[profile]) as Array<keyof Limits>
  const limits = { ...profiles[profile] }
  for (const name of names) limits[name] = overrides[name] ?? limits[name]
  return limits
}
