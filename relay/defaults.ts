/** The defaults of a relay. */
export const relayDefaults = {
  listen: ['/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/4001'],
  /** Duration of a reservation, in milliseconds (go-libp2p: `ReservationTTL`). */
  reservationTtlMs: 3_600_000,
} as const
