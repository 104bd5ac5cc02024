/** How the relay learns that a peer has gone without a word. */

/**
 * Silence after which the kernel asks whether the other side is still there, in milliseconds. Node asks 10 times, a second apart
 * (libuv `uv_tcp_keepalive`), so a peer that has gone is noticed within 40 s; one that something was sent to is sooner, see `watchOver`. It also keeps the
 * mappings of the peers' NATs: many home routers forget idle ones after some minutes, whatever RFC 5382 (REQ-5) asks.
 */
export const KEEP_ALIVE_MS = 30_000
