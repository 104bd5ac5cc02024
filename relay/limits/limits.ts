/**
 * What a relay lets its peers take: reservations, circuits, bytes, and how fast. Every number that bounds a remote is here.
 *
 * `Infinity` is no limit. The profiles are starting points; each value can be set by itself.
 */

/** The limits of a relay. */
export interface Limits {
  /** Connections at once, of peers with and without reservations. */
  maxConnections: number
  /** Connections at once from one network: an IPv4 address, or an IPv6 /56. */
  maxConnectionsPerNetwork: number
  /** Peers that hold a reservation at once. A peer holds one at most; asking again refreshes it. */
  maxReservations: number
  /** Reservations of peers that come from one IPv4 address. */
  maxReservationsPerIpv4: number
  /** Reservations of peers that come from one IPv6 /56, which is what a site is given (RFC 6177). */
  maxReservationsPerIpv6Site: number
  /** Circuits at once, those still being opened included. */
  maxCircuits: number
  /** Circuits at once that begin or end at one peer. */
  maxCircuitsPerPeer: number
  /** Circuits at once between two peers, whoever opened them. */
  maxCircuitsPerPair: number
  /** Bytes that one circuit carries in each direction before it is reset. */
  circuitBytes: number
  /** How long a circuit lasts before it is reset, in milliseconds, 24 days at the most; peers are told in whole seconds. */
  circuitDurationMs: number
  /** Bytes a second of one circuit, both directions together. Senders are slowed down, not cut. */
  circuitBytesPerSecond: number
  /** Bytes a second of all circuits of one peer. */
  peerBytesPerSecond: number
  /** Bytes a second of all circuits. */
  totalBytesPerSecond: number
  /** New connections a second from one IPv4 address or IPv6 /56. */
  connectionsPerSecondPerIp: number
  /** Requests for a reservation a second from one IPv4 address or IPv6 /56, refreshes included. */
  reservationsPerSecondPerIp: number
  /** Requests for a circuit a second from one IPv4 address or IPv6 /56. */
  circuitsPerSecondPerIp: number
}

/** Single limits that replace those of a profile; `undefined` replaces nothing. */
export type LimitOverrides = { readonly [Name in keyof Limits]?: Limits[Name] | undefined }

/** The names of the profiles. */
export const profileNames = ['open', 'private', 'public', 'custom'] as const

/** The profile where none is named. */
export const DEFAULT_PROFILE: ProfileName = 'open'

/** A set of limits by name. */
export type ProfileName = (typeof profileNames)[number]

/**
 * - `open`: anyone, and circuits are never cut; bandwidth and numbers are bounded, so that a small host can afford it.
 * - `private`: for peers that the operator has admitted; circuits carry any amount of data for any time, and only the
 *   numbers that keep the relay itself alive are bounded. `throughnat-relay` makes a token where no other rule is given.
 * - `public`: the conventions of the libp2p network (go-libp2p p2p/protocol/circuitv2/relay/resources.go: 128 KiB each way
 *   and 2 min a circuit, 16 circuits a peer, 8 reservations an IP address).
 * - `custom`: nothing is limited but what is set by itself.
 */
export const profiles: Readonly<Record<ProfileName, Limits>> = {
  open: {
    maxConnections: 1024,
    maxConnectionsPerNetwork: 256,
    // as go-libp2p has it (`MaxReservations`)
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
    // each of a service's clients may come over a circuit of its own
    maxCircuitsPerPeer: 1024,
    maxCircuitsPerPair: 64,
    circuitBytes: Infinity,
    circuitDurationMs: Infinity,
    circuitBytesPerSecond: Infinity,
    peerBytesPerSecond: Infinity,
    totalBytesPerSecond: Infinity,
    // peers of one office, or one carrier, share an address, and all come back at once when the relay has restarted
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

/** The limits of a profile with single ones replaced. */
export function limitsOf(profile: ProfileName = DEFAULT_PROFILE, overrides: LimitOverrides = {}): Limits {
  const names = Object.keys(profiles[profile]) as Array<keyof Limits>
  const limits = { ...profiles[profile] }
  for (const name of names) limits[name] = overrides[name] ?? limits[name]
  return limits
}
