/**
 * A spare punch port: another local port, mapped and observed like the first, for an attempt after one that failed.
 *
 * A failed punch can leave a NAT with a memory of the two endpoints that no further SYN between them gets past: a Linux
 * NAT that has seen our SYN refused by ICMP, and then the remote's SYN, drops whatever we send for 2 min, since our next
 * sequence number is not the one that it remembers (seen in test/lab with `eim-apdf-icmp`: 1 attempt in 80 ended so at
 * 20 ms one way, 1 in 10 at 2 ms). Another port on one side makes other endpoints. The responder changes its own, since
 * it begins each attempt; the remote needs to know nothing of it.
 */

import net from 'node:net'
import { CODE_P2P } from '@multiformats/multiaddr'
import { isIPv6 } from '../candidates.ts'
import type { Connection, IdentifyResult, Libp2pEvents, Upgrader } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TypedEventTarget } from 'main-event'
import type { LocalAddresses } from '../candidates.ts'
import type { BoundAddress } from '../../transport/punch-port.ts'
import type { PunchTransport } from '../../transport/punch-transport.ts'

/** What a spare port needs. */
export interface SparePortInit {
  transport: PunchTransport
  upgrader: Upgrader
  events: TypedEventTarget<Libp2pEvents>
  /** A relay that this node is connected to; it tells where the port is mapped to. */
  relay: Connection
}

/** An open spare port. */
export interface SparePort {
  readonly local: BoundAddress
  /** What the relay sees. */
  readonly endpoint: Multiaddr
  /** To be called when the attempt is over: closes the connection to the relay, and leaves a punched one alone. */
  close(): Promise<void>
}

/**
 * Opens a port, connects to the relay from it, and resolves when the relay has said what it sees.
 *
 * @throws what binding, connecting or identify fail with; `AbortError` when `signal` fires
 */
export async function openSparePort(init: SparePortInit, signal: AbortSignal): Promise<SparePort> {
  const { transport, upgrader, relay } = init
  const spare = transport.reserveSparePort(isIPv6(relay.remoteAddr) ? 6 : 4)
  try {
    const socket = await transport.connectFromPunchPort(relay.remoteAddr, { signal, spare: spare.address })
    const observer = await upgrader.upgradeOutbound(socket, { signal })
    const endpoint = await observedOver(observer, init.events, signal)
    return { local: spare.address, endpoint, close: async () => observer.close() }
  } finally {
    // the connection holds the port from here on
    spare.release()
  }
}

/** What this node knows of itself while it uses this port: what relays saw of the other one is of no use then. */
export function withSpare(local: LocalAddresses, spare: SparePort | undefined): LocalAddresses {
  if (spare === undefined) return local
  const others = local.observed.filter(addr => isIPv6(addr) !== net.isIPv6(spare.local.host))
  return { ...local, observed: [spare.endpoint, ...others] }
}

async function observedOver(
  connection: Connection,
  events: TypedEventTarget<Libp2pEvents>,
  signal: AbortSignal,
): Promise<Multiaddr> {
  const { promise, resolve, reject } = Promise.withResolvers<Multiaddr>()
  const done = new AbortController()
  const onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    if (detail.connection.id === connection.id && detail.observedAddr !== undefined)
      resolve(detail.observedAddr.decapsulateCode(CODE_P2P))
  }
  events.addEventListener('peer:identify', onIdentify, { signal: done.signal })
  signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: done.signal })
  try {
    return await promise
  } catch (error) {
    connection.abort(error as Error)
    throw error
  } finally {
    done.abort()
  }
}
