/**
 * The node that probes: one address family, its own identity, and a punch port that has not sent to anyone.
 *
 * A peer's own node is not suitable. Its punch port is already connected to its relays. And the relays would
 * take the connections of the probes for the peer's: they would count them, and open circuits over them.
 */

import { dialingWebSockets } from '../../src/transport/dialing-web-sockets.ts'
import { createLibp2p } from 'libp2p'
import { dialBack } from '../../src/protocols/autonat/service.ts'
import { withoutPeerId } from '../../src/addresses/endpoint.ts'
import { ephemeralIdentity } from '../../src/files/identity.ts'
import { commonOptions, startNode } from '../../src/node/stack.ts'
import { SharedPortTcp, tcp } from '../../src/transport/shared-port-tcp.ts'
import type { Identify } from '@libp2p/identify'
import type { ComponentLogger, Connection, Libp2p, Upgrader } from '@libp2p/interface'
import type { TransportManager } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { DialBackResult, DialBackService } from '../../src/protocols/autonat/service.ts'
import type { BoundAddress, Family } from '../../src/transport/punch-port.ts'

/** The libp2p components that the probes need. */
interface Parts {
  transportManager: TransportManager
  upgrader: Upgrader
}

type Services = { identify: Identify; dialBack: DialBackService; parts: Parts }

/** A connection from a local port, and the endpoint that its remote sees. */
export interface Observation {
  /** The NAT's mapping lasts while this connection is open. */
  connection: Connection
  relay: Multiaddr
  localPort: number
  /** `/ip4|ip6/.../tcp/...` */
  endpoint: Multiaddr
}

export class ProbeNode {
  readonly family: Family
  readonly #libp2p: Libp2p<Services>

  constructor(family: Family, libp2p: Libp2p<Services>) {
    this.family = family
    this.#libp2p = libp2p
  }

  /**
   * The port of the listener, which is also the default source port of {@link observe}.
   *
   * @throws if this platform cannot share a port
   */
  get punchPort(): number {
    const port = this.#transport.punchPorts.port(this.family)
    if (port === undefined) throw new Error('this platform cannot share a port')
    return port
  }

  /**
   * Connects from an ephemeral port.
   *
   * @throws if the dial fails, or `signal` fires
   */
  async connect(addr: Multiaddr, signal: AbortSignal): Promise<Connection> {
    return this.#libp2p.services.parts.transportManager.dial(addr, { signal })
  }

  /**
   * Connects to a relay from the punch port, or from `spare`, and asks it which endpoint it sees.
   *
   * @throws if the relay cannot be reached or does not answer, or `signal` fires
   */
  async observe(relay: Multiaddr, signal: AbortSignal, spare?: BoundAddress): Promise<Observation> {
    const socket = await this.#transport.connectFromPunchPort(relay, {
      signal,
      ...(spare === undefined ? {} : { spare }),
    })
    try {
      const connection = await this.#libp2p.services.parts.upgrader.upgradeOutbound(socket, { signal })
      const { observedAddr } = await this.#libp2p.services.identify.identify(connection, { signal })
      if (observedAddr === undefined) throw new Error('the relay does not report the endpoint that it sees')
      return {
        connection,
        relay,
        localPort: spare?.port ?? this.punchPort,
        endpoint: withoutPeerId(observedAddr),
      }
    } catch (error) {
      socket.abort(error as Error)
      throw error
    }
  }

  /** Asks the remote of `via` to dial `addr`, and resolves with the result. */
  async verify(addr: Multiaddr, via: Connection, signal: AbortSignal): Promise<DialBackResult> {
    return this.#libp2p.services.dialBack.verify(addr, via, { signal })
  }

  async stop(): Promise<void> {
    await this.#libp2p.stop()
  }

  get #transport(): SharedPortTcp {
    const { transportManager } = this.#libp2p.services.parts
    const transport = transportManager.getTransports().find(it => it instanceof SharedPortTcp)
    if (transport === undefined) throw new TypeError('the node has no TCP transport')
    return transport
  }
}

/**
 * Starts a node that listens on an ephemeral port of its address family.
 *
 * @throws {ListenError} if this host lacks the address family
 */
export async function startProbeNode(family: Family, logger?: ComponentLogger): Promise<ProbeNode> {
  const listen = [family === 4 ? '/ip4/0.0.0.0/tcp/0' : '/ip6/::/tcp/0']
  const common = commonOptions({
    privateKey: await ephemeralIdentity(),
    logger,
    // `observe` runs identify when needed
    identify: { runOnConnectionOpen: false },
  })
  const libp2p = await createLibp2p<Services>({
    ...common,
    start: false,
    addresses: { listen },
    connectionMonitor: { enabled: false },
    transports: [tcp(), dialingWebSockets()],
    services: {
      ...common.services,
      dialBack: dialBack(),
      parts: ({ transportManager, upgrader }: Parts): Parts => ({ transportManager, upgrader }),
    } as never,
  })
  try {
    await startNode(libp2p, listen)
  } catch (error) {
    await libp2p.stop()
    throw error
  }
  return new ProbeNode(family, libp2p)
}
