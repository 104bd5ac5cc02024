/**
 * The drop-ins for any js-libp2p node: `tcp()` in place of that of `@libp2p/tcp`, `dcutr()` in place of that of
 * `@libp2p/dcutr`. With both, and a relay, the node punches TCP holes. `tls()` in place of that of `@libp2p/tls`, which runs on
 * the TCP socket itself.
 */

export { tcp } from './transport/shared-port-tcp.ts'
export { tls } from './encryption/tls.ts'
export { dcutr } from './holepunch/service.ts'
export { HolePunchFailedError } from './errors.ts'
export type { SharedPortTcp, SharedPortTcpInit } from './transport/shared-port-tcp.ts'
export type { TlsComponents } from './encryption/tls.ts'
export type { HolePunchComponents, HolePunchService } from './holepunch/service.ts'
export type {
  HolePunchAttempt,
  HolePunchEvents,
  HolePunchFailed,
  HolePunchStarted,
  HolePunchSucceeded,
  PunchRole,
} from './holepunch/events.ts'
export type { HolePunchFailure } from './errors.ts'
