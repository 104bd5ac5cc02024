/**
 * What hole punching needs of a transport. The hole punch service finds the transport of its node by this interface, so
 * that punches can run over another transport without a change in src/holepunch.
 */

import { TCP } from '@multiformats/multiaddr-matcher'
import { withoutPeerId } from '../addresses/endpoint.ts'
import type { Connection, MultiaddrConnection, Transport } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { InboundClaims } from './inbound-claims.ts'
import type { BoundAddress, ReservedPort } from './punch-port.ts'

/** Marks a transport as one that can punch. The symbol is registered, so two copies of this package agree on it. */
export const punchTransportSymbol: unique symbol = Symbol.for('throughnat/punch-transport')

/** How one socket is connected, below the upgrade. */
export interface ConnectOptions {
  /** Ends the dial. Aborting it after the socket is connected does nothing. */
  signal: AbortSignal
}

/** How one socket is connected from a punch port. */
export interface PunchOptions extends ConnectOptions {
  /** A port to use instead of the listener's, for remotes of its family. */
  spare?: BoundAddress | undefined
}

/** A transport whose listener shares its port with punches. */
export interface PunchTransport {
  readonly [punchTransportSymbol]: true
  /** Inbound sockets that punches wait for. */
  readonly inboundClaims: Pick<InboundClaims, 'add'>
  /** False where the platform cannot share a TCP port between the listener and dials: then no punch is possible. */
  readonly canPunch: boolean
  /** Reserves a free local port of a family for dials. Throws what binding fails with. */
  reserveSparePort(family: 4 | 6): ReservedPort
  /** True if this connection was dialled from the punch port: only then is its observed address the punch port's. */
  isFromPunchPort(connection: Connection): boolean
  /** Connects a socket from the punch port and does not upgrade it. Throws what the transport's dial fails with. */
  connectFromPunchPort(addr: Multiaddr, options: PunchOptions): Promise<MultiaddrConnection>
  /** Connects a socket from an ephemeral port and does not upgrade it. Throws what the transport's dial fails with. */
  connect(addr: Multiaddr, options: ConnectOptions): Promise<MultiaddrConnection>
}

/** True for an address that a punch can lead to: a host and a TCP port, with or without a peer id at the end. */
export function isPunchable(addr: Multiaddr): boolean {
  return TCP.exactMatch(withoutPeerId(addr))
}

/** Finds the transport that can punch among those of a node. */
export function findPunchTransport(
  transports: readonly Transport[],
): (Transport & PunchTransport) | undefined {
  return transports.find((it): it is Transport & PunchTransport => punchTransportSymbol in it)
}
