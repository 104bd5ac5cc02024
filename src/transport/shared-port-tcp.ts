/**
 * The TCP transport: `@libp2p/tcp`, whose listener shares its port with dials to relays and with punches.
 *
 * Ordinary dials take an ephemeral port: a dial from the punch port to an endpoint behind a NAT would hold that
 * 4-tuple until it times out, and the punch that follows would fail with EADDRNOTAVAIL.
 *
 * Works around https://github.com/libp2p/js-libp2p/issues/2620 (`@libp2p/tcp` cannot dial from a given port);
 * test/network/upstream-faults.test.ts tells when that is mended.
 */

import net from 'node:net'
import { tcp as stockTcp } from '@libp2p/tcp'
import { transportSymbol } from '@libp2p/interface'
import { getNetConfig } from '@libp2p/utils'
import { CODE_UNIX } from '@multiformats/multiaddr'
import { boundNegotiations } from '../patches/multistream-select/unbounded-negotiation.ts'
import { separateUpgradeSignals } from '../patches/libp2p/upgrade-signals.ts'
import { coalesceWrites } from '../patches/libp2p-tcp/coalesced-writes.ts'
import { Accepted } from '../patches/libp2p-tcp/flush-before-close.ts'
import { passDirectly } from '../patches/libp2p-utils/direct-messages.ts'
import { keepAddresses } from '../patches/libp2p-utils/interface-addresses.ts'
import { isNamed, resolveHost } from '../addresses/resolve-host.ts'
import { raceInTurn } from '../time/race-in-turn.ts'
import { encryptionsOnSockets } from '../encryption/choice.ts'
import { TLS_PROTOCOL } from '../encryption/tls.ts'
import { optimisticUpgrader } from '../protocols/optimistic-upgrade.ts'
import { acceptSilently } from '../protocols/silent-agreement.ts'
import { InboundClaims } from './inbound-claims.ts'
import { keepAlive } from './keep-alive.ts'
import {
  assertPortIsFree,
  bindToPunchPort,
  canSharePort,
  PunchPorts,
  reserveSparePort,
} from './punch-port.ts'
import type { Family, ReservedPort } from './punch-port.ts'
import { punchTransportSymbol } from './punch-transport.ts'
import { RelaySightings } from './relay-sightings.ts'
import { SOCKET_BUFFER_BYTES } from './socket-buffer.ts'
import type {
  AbortOptions,
  Connection,
  CreateListenerOptions,
  DialTransportOptions,
  Listener,
  Logger,
  MultiaddrConnection,
  Transport,
  Upgrader,
} from '@libp2p/interface'
import type { TCPComponents, TCPDialOptions, TCPOptions } from '@libp2p/tcp'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { NegotiationComponents } from '../patches/multistream-select/unbounded-negotiation.ts'
import type { ConnectOptions, PunchOptions, PunchTransport } from './punch-transport.ts'

/** Options of `@libp2p/tcp`, and which dials leave from the punch port. */
export interface SharedPortTcpInit extends TCPOptions {
  /**
   * Tells which dials leave from the punch port, beside those to relays that this node listens on or dials through.
   * A remote that is dialled from the punch port tells this node (by identify) the endpoint that punches come from.
   *
   * @default none
   */
  dialFromPunchPort?: (addr: Multiaddr) => boolean
  /**
   * The addresses to dial for this one. What it rejects with ends the dial. It is not asked for punches.
   *
   * @default those that a name stands for, wherever they are
   */
  resolve?: (addr: Multiaddr, options: AbortOptions) => Promise<Multiaddr[]>
}

/** What connect(2) and bind(2) say where a family has no route, or does not exist. */
const NO_ROUTE: ReadonlySet<string> = new Set(['ENETUNREACH', 'EAFNOSUPPORT', 'EADDRNOTAVAIL'])

// Sockets that are idle at the level of TCP are not closed: libp2p's connection monitor decides what is dead, and an
// idle direct connection must outlive any pause of the application (`@libp2p/tcp` would close it after 2 min).
const NO_INACTIVITY_TIMEOUT = 0

/** Creates the transport: a drop-in for `tcp()` of `@libp2p/tcp` in any `createLibp2p` configuration. */
export function tcp(init: SharedPortTcpInit = {}): (components: TCPComponents) => SharedPortTcp {
  return components => new SharedPortTcp(components, init)
}

/** The transport. Use {@link tcp}; the class is for the hole punch service, which finds it among the transports. */
export class SharedPortTcp implements Transport, PunchTransport {
  readonly [punchTransportSymbol] = true as const
  readonly [transportSymbol] = true as const
  readonly [Symbol.toStringTag] = 'throughnat/tcp'
  /** The ports that listeners share with outbound sockets. */
  readonly punchPorts: PunchPorts = new PunchPorts()
  /** Inbound sockets that punches wait for. */
  readonly inboundClaims: InboundClaims = new InboundClaims()

  readonly #tcp: Transport
  readonly #init: SharedPortTcpInit
  readonly #relays = new RelaySightings()
  readonly #log: Logger
  readonly #fromPunchPort = new WeakSet<Connection>()

  constructor(components: TCPComponents, init: SharedPortTcpInit) {
    const { dialFromPunchPort: _, resolve: _resolve, ...tcpOptions } = init
    const all = components as TCPComponents & NegotiationComponents
    boundNegotiations(all)
    separateUpgradeSignals(all.upgrader)
    this.#init = init
    this.#log = components.logger.forComponent('throughnat:tcp')
    // the listener hands all of these to net.createServer() and server.listen(), and the type of @libp2p/tcp knows some of them
    const listenOpts = {
      highWaterMark: SOCKET_BUFFER_BYTES,
      ...tcpOptions.listenOpts,
      ...(canSharePort() ? { reusePort: true } : {}),
    }
    this.#tcp = stockTcp({
      inboundSocketInactivityTimeout: NO_INACTIVITY_TIMEOUT,
      outboundSocketInactivityTimeout: NO_INACTIVITY_TIMEOUT,
      ...tcpOptions,
      listenOpts,
    })(components)
  }

  get canPunch(): boolean {
    return canSharePort()
  }

  reserveSparePort(family: Family): ReservedPort {
    return reserveSparePort(family)
  }

  /** Tells whether this connection was dialled from the punch port: only then is its observed address worth anything. */
  isFromPunchPort(connection: Connection): boolean {
    return this.#fromPunchPort.has(connection)
  }

  /**
   * Dials and upgrades: relays from the punch port, anything else from an ephemeral one. Of the addresses that a name
   * stands for, the first that is connected and upgraded wins; the connection's remote address is that one.
   */
  async dial(addr: Multiaddr, options: DialTransportOptions): Promise<Connection> {
    const isRelay = this.#leavesFromPunchPort(addr)
    const { resolve = resolveHost } = this.#init
    const addrs = await resolve(addr, options)
    if (!isNamed(addr)) return this.#dialAddress(addr, isRelay, options)
    const { signal } = options
    const attempt = async (resolved: Multiaddr, lost: AbortSignal): Promise<Connection> =>
      this.#dialAddress(resolved, isRelay, { ...options, signal: AbortSignal.any([signal, lost]) })
    const onLate = (connection: Connection): void => connection.abort(new Error('another address was faster'))
    try {
      return await raceInTurn(addrs, attempt, { signal, onLate })
    } catch (error) {
      throw error instanceof AggregateError ? summary(error.errors) : error
    }
  }

  async #dialAddress(addr: Multiaddr, isRelay: boolean, options: DialTransportOptions): Promise<Connection> {
    if (!isRelay) return this.#upgrade(await this.connect(addr, options), options)
    await this.punchPorts.settled()
    let socket: MultiaddrConnection
    try {
      socket = await this.connectFromPunchPort(addr, options)
    } catch (error) {
      if (!isPortTaken(error)) throw error
      // The 4-tuple is still in TIME_WAIT, say. The relay can be used, but it sees another endpoint than the punch's.
      this.#log.error('dialling %a from an ephemeral port, it cannot help to punch - %e', addr, error)
      return this.#upgrade(await this.connect(addr, options), options)
    }
    const connection = await this.#upgrade(socket, options)
    this.#fromPunchPort.add(connection)
    return connection
  }

  async #upgrade(socket: MultiaddrConnection, options: DialTransportOptions): Promise<Connection> {
    try {
      const { upgrader } = options
      return await optimisticUpgrader(upgrader, encryptionsOnSockets(upgrader)).upgradeOutbound(
        socket,
        options,
      )
    } catch (error) {
      socket.abort(error as Error)
      throw error
    }
  }

  /**
   * Connects a TCP socket from the punch port and does not upgrade it.
   *
   * @throws {PunchPortError} if no listener of the address's family can be shared, or the 4-tuple is taken
   * @throws what connect(2) says (ECONNREFUSED, EADDRNOTAVAIL, ...), and `AbortError`
   */
  async connectFromPunchPort(addr: Multiaddr, { signal, spare }: PunchOptions): Promise<MultiaddrConnection> {
    const { host } = getNetConfig(addr)
    const local = spare !== undefined && isSameFamily(spare.host, host) ? spare : this.punchPorts.for(host)
    if (local === undefined) throw new PunchPortError(`no listener shares its port for dials to ${addr}`)
    const handle = bindToPunchPort(local)
    return this.#connect(addr, { handle }, signal)
  }

  /** Connects a TCP socket from an ephemeral port and does not upgrade it. Throws as connect(2) does. */
  async connect(addr: Multiaddr, { signal }: ConnectOptions): Promise<MultiaddrConnection> {
    return this.#connect(addr, {}, signal)
  }

  /**
   * `@libp2p/tcp` hands its dial options to `net.connect`, so `handle` gets there. The signal stays attached to the
   * socket for life: aborting it after the connect would kill the connection. So it gets one that nobody else has.
   */
  async #connect(addr: Multiaddr, socketOptions: object, signal: AbortSignal): Promise<MultiaddrConnection> {
    signal.throwIfAborted()
    const dialling = new AbortController()
    const abort = (): void => dialling.abort(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    try {
      const options = {
        ...socketOptions,
        highWaterMark: SOCKET_BUFFER_BYTES,
        signal: dialling.signal,
        upgrader: connectOnly,
      }
      const socket: unknown = await this.#tcp.dial(addr, options as unknown as TCPDialOptions)
      return keepAlive(passDirectly(coalesceWrites(socket as MultiaddrConnection)))
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  /** Creates a listener whose port can be shared, and which hands sockets that a punch waits for to that punch. */
  createListener(options: CreateListenerOptions): Listener {
    const accepted = new Accepted()
    const upgrader = this.#claiming(options.upgrader, accepted)
    const listener = keepAddresses(this.#tcp.createListener({ ...options, upgrader }))
    accepted.closeBefore(listener)
    return canSharePort() ? this.#sharing(listener) : listener
  }

  #sharing(listener: Listener): Listener {
    const listen = listener.listen.bind(listener)
    listener.listen = async addr => {
      if (isUnix(addr)) return listen(addr)
      const { host, port } = getNetConfig(addr)
      if (port) assertPortIsFree({ host, port })
      const listening = listen(addr).then(() => {
        const [bound] = listener.getAddrs()
        if (bound === undefined) return
        const release = this.punchPorts.add({ host, port: getNetConfig(bound).port ?? 0 })
        listener.addEventListener('close', release, { once: true })
      })
      this.punchPorts.announce(listening)
      return listening
    }
    return listener
  }

  listenFilter(addrs: Multiaddr[]): Multiaddr[] {
    this.#relays.note(addrs)
    return this.#tcp.listenFilter(addrs)
  }

  dialFilter(addrs: Multiaddr[]): Multiaddr[] {
    this.#relays.note(addrs)
    return this.#tcp.dialFilter(addrs)
  }

  #leavesFromPunchPort(addr: Multiaddr): boolean {
    if (!canSharePort() || isUnix(addr)) return false
    return this.#init.dialFromPunchPort?.(addr) === true || this.#relays.has(addr)
  }

  #claiming(upgrader: Upgrader, accepted: Accepted): Upgrader {
    const upgradeInbound: Upgrader['upgradeInbound'] = async (
      socket: MultiaddrConnection,
      options: never,
    ) => {
      keepAlive(passDirectly(coalesceWrites(socket)))
      accepted.add(socket)
      if (encryptionsOnSockets(upgrader) !== undefined) acceptSilently(socket, TLS_PROTOCOL)
      if (!this.#isClaimed(socket)) await upgrader.upgradeInbound(socket, options)
    }
    return Object.assign(Object.create(upgrader) as Upgrader, { upgradeInbound })
  }

  #isClaimed(socket: MultiaddrConnection): boolean {
    if (isUnix(socket.remoteAddr)) return false
    const { host, port } = getNetConfig(socket.remoteAddr)
    return this.inboundClaims.offer(socket, host, port ?? 0)
  }
}

/** Stands in for the upgrader where only a connected socket is wanted. */
const connectOnly = {
  upgradeOutbound: async (socket: MultiaddrConnection): Promise<MultiaddrConnection> => socket,
}

function isSameFamily(one: string, other: string): boolean {
  return net.isIPv6(one) === net.isIPv6(other)
}

function isUnix(addr: Multiaddr): boolean {
  return addr.getComponents()[0]?.code === CODE_UNIX
}

/** What all addresses of a name failed with. Where this machine has no route of a family, that says nothing about the remote. */
function summary(failures: readonly unknown[]): unknown {
  const telling = failures.filter(error => !NO_ROUTE.has((error as NodeJS.ErrnoException).code ?? ''))
  const told = telling.length > 0 ? telling : failures
  return told.length === 1 ? told[0] : new AggregateError(told, 'no address of the name could be dialled')
}

function isPortTaken(error: unknown): boolean {
  if (error instanceof PunchPortError) return true
  const { code } = error as NodeJS.ErrnoException
  return code === 'EADDRINUSE' || code === 'EADDRNOTAVAIL'
}

/** Thrown when a dial cannot leave from the punch port. */
class PunchPortError extends Error {
  static override readonly name = 'PunchPortError'
  override readonly name = 'PunchPortError'
}
