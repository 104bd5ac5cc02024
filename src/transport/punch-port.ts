/**
 * The punch port: the local TCP port that a listener shares with the dials to relays and with the punches.
 *
 * A NAT maps a local port, not a program. Only when the relay is dialled, and the punch is sent, from the port that
 * the listener holds does the endpoint that the relay observed lead back to that listener.
 * There is one punch port per address family, the port of the first listener of that family.
 */

import net from 'node:net'

/** 4 for IPv4, 6 for IPv6. */
export type Family = 4 | 6

/** Where a listener is bound. */
export interface BoundAddress {
  /** A numeric address, `0.0.0.0` or `::` for all. */
  host: string
  port: number
}

let canShare: boolean | undefined

/**
 * Tells whether this platform can bind an outbound socket to the port of a listener.
 *
 * That takes `net.BoundSocket` (Node 24.19, 26.4) and SO_REUSEPORT, which libuv offers on Linux, FreeBSD and a few
 * others but not on macOS and Windows.
 */
export function canSharePort(): boolean {
  canShare ??= probeSharing()
  return canShare
}

function probeSharing(): boolean {
  if (net.BoundSocket === undefined) return false
  try {
    new net.BoundSocket({ host: '127.0.0.1', port: 0, reusePort: true }).close()
    return true
  } catch {
    return false
  }
}

/** The punch ports of one node: filled by its listeners, read by its dials. */
export class PunchPorts {
  readonly #listeners: Array<BoundAddress & { family: Family }> = []
  readonly #pending = new Set<Promise<unknown>>()

  /** Notes that a listener is about to be bound; {@link settled} waits for it. Failures are the listener's to report. */
  announce(listening: Promise<unknown>): void {
    const settled = listening.then(
      () => {},
      () => {},
    )
    this.#pending.add(settled)
    void settled.then(() => this.#pending.delete(settled))
  }

  /** Resolves when every listener that was announced is bound or has failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending)
  }

  /** Adds the port of a listener; returns the function that takes it out again. */
  add(address: BoundAddress): () => void {
    const entry = { ...address, family: net.isIPv6(address.host) ? 6 : 4 } as const
    this.#listeners.push(entry)
    return () => {
      const index = this.#listeners.indexOf(entry)
      if (index >= 0) this.#listeners.splice(index, 1)
    }
  }

  /**
   * The address to bind an outbound socket to, or undefined when no listener can be shared for this remote host.
   * A listener on loopback serves remotes on loopback only: nothing else is reachable from there.
   */
  for(remoteHost: string): BoundAddress | undefined {
    if (!canSharePort()) return undefined
    const family = net.isIPv6(remoteHost) ? 6 : 4
    return this.#listeners.find(
      listener => listener.family === family && (!isLoopback(listener.host) || isLoopback(remoteHost)),
    )
  }

  /** The port that is punched from in this family, if there is one. */
  port(family: Family): number | undefined {
    if (!canSharePort()) return undefined
    return this.#listeners.find(listener => listener.family === family)?.port
  }
}

/** Binds an outbound socket to a punch port. Throws what bind(2) says: EADDRINUSE, EADDRNOTAVAIL. */
export function bindToPunchPort({ host, port }: BoundAddress): net.BoundSocket {
  return new net.BoundSocket({ host, port, reusePort: true, ipv6Only: net.isIPv6(host) })
}

/** A port that is kept from others until it is released, or for as long as a connection uses it. */
export interface ReservedPort {
  readonly address: BoundAddress
  readonly release: () => void
}

/** Finds a port that nobody listens on, for outbound sockets alone. Throws what bind(2) says. */
export function reserveSparePort(family: Family): ReservedPort {
  const host = family === 6 ? '::' : '0.0.0.0'
  const socket = bindToPunchPort({ host, port: 0 })
  return { address: { host, port: socket.address().port }, release: () => socket.close() }
}

/**
 * Throws EADDRINUSE when another socket listens on this port. SO_REUSEPORT alone would let two processes of one user
 * share the port without a word, and the kernel would deal each one some of the connections.
 */
export function assertPortIsFree({ host, port }: BoundAddress): void {
  new net.BoundSocket({ host, port, ipv6Only: net.isIPv6(host) }).close()
}

function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.')
}
