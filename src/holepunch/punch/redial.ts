/**
 * How often one punch dials an address, and how soon again.
 *
 * Redialling is what survives a NAT that answers an early SYN with RST: the SYNs of both sides must cross in flight, and
 * with a few dozen dials they do. A NAT that drops early SYNs needs one.
 */

/** Dials of one address in one punch: the host there may not have asked for SYNs. A window that is refused throughout makes about 95. */
export const MAX_DIALS = 100

/** In a private network there is no NAT between the two whose SYNs would have to cross: the other listens, or is not there. */
export const MAX_PRIVATE_DIALS = 10

/** Refused dials that are repeated at once, and for how long, in milliseconds; see {@link redialDelayMs}. */
const EAGER_DIALS = 40
const EAGER_MS = 500

/**
 * The pause after the nth refused dial. At first there is none, so that nearly always a socket of ours waits in SYN-SENT
 * when the remote's SYN arrives. If none does, the listener answers with a sequence number of its own, which a Linux NAT
 * takes for invalid: it remembers the one in our last SYN, and an ICMP error does not make it forget. Then nothing gets
 * through between these two endpoints for 2 min (measured in test/lab: NATs that answer by ICMP, 2 ms apart, let 1 punch
 * in 4 through with pauses of 20 to 60 ms). After that slower and slower, since the address was named by the remote.
 */
export function redialDelayMs(n: number, elapsedMs: number): number {
  if (n <= EAGER_DIALS && elapsedMs < EAGER_MS) return 0
  return elapsedMs < 1_500 ? jitter(20, 60) : jitter(100, 300)
}

export function jitter(fromMs: number, toMs: number): number {
  return fromMs + Math.random() * (toMs - fromMs)
}
