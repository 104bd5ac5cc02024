/** TCP keep-alive: how the relay notices that a peer has disappeared without closing its connection. */

/**
 * Idle time after which the kernel probes the other side, in milliseconds. Node sends up to 10 probes, one
 * per second (libuv `uv_tcp_keepalive`), so the relay notices a vanished peer within 40 s. It is noticed
 * sooner if data to it is unacknowledged, see `watchOver`. The probes also keep the NAT mappings of the
 * peers: many home routers drop idle ones after some minutes, although RFC 5382 (REQ-5) asks for two hours.
 */
export const KEEP_ALIVE_MS = 30_000
