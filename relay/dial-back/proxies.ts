/**
 * Finds source addresses that may belong to a proxy in front of the relay, such as docker-proxy, HAProxy or `ssh -R`. All
 * peers seem to come from the address of the proxy. If the relay dialled it, any stranger could have the ports of that host
 * tried, among them those that trust the relay.
 *
 * A source address belongs to one requester only if none of these applies:
 *
 * 1. It is an address of this host, or one that the relay announces: a proxy on this host, or a router that reflects.
 * 2. It is that of a gateway: Docker's proxy, or a router that replaces source addresses.
 * 3. It is private and in no subnet of this host: another router is in between, which may replace source addresses.
 * 4. It is private, and another peer is connected from it, too.
 */

import ipaddr from 'ipaddr.js'
import { defaultRoutes, defaultRoutesIPv6 } from '../../src/addresses/default-routes.ts'
import { allInterfaces } from '../../src/addresses/interfaces.ts'
import { scopeOf } from '../../src/addresses/scope.ts'
import { ipOf } from '../../src/limits/ip-network.ts'
import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

type Ip = ipaddr.IPv4 | ipaddr.IPv6

/** The network around this host, in numeric addresses. */
export interface Surroundings {
  /** Each address of an interface with its prefix length: `192.0.2.1/24`. */
  readonly interfaces: readonly string[]
  readonly gateways: readonly string[]
}

/** The surroundings as they are now. */
export function readSurroundings(): Surroundings {
  const interfaces = Object.values(allInterfaces()).flatMap(list => (list ?? []).map(({ cidr }) => cidr))
  const gateways = [
    ...defaultRoutes().map(({ gateway }) => gateway),
    ...defaultRoutesIPv6().map(({ gateway }) => gateway.match(/.{4}/g)?.join(':')),
  ]
  return {
    interfaces: interfaces.filter(it => it !== null),
    gateways: gateways.filter(it => it !== undefined),
  }
}

/** What is known about a source address. */
export interface SourceInit {
  /** The relay's own addresses. */
  own: readonly Multiaddr[]
  /** All connections of the relay. */
  connections: readonly Connection[]
  surroundings: Surroundings
  /** Rules 1 and 4 do not apply to addresses of this host. */
  isOwnHostAllowed: boolean
}

/** True if a proxy may be what the relay sees of a peer. */
export function mayBeProxy(requester: Connection, init: SourceInit): boolean {
  const { own, connections, surroundings, isOwnHostAllowed } = init
  const ip = ipOf(requester.remoteAddr)
  if (ip === undefined) return true
  const ownIps = [
    ...own.map(ipOf),
    ...surroundings.interfaces.map(it => ipaddr.process(it.split('/', 1)[0] ?? '')),
  ]
  const scope = scopeOf(ip.toString())
  if (scope === 'loopback' || ownIps.some(it => isSame(it, ip))) return !isOwnHostAllowed
  if (surroundings.gateways.some(it => ipaddr.isValid(it) && isSame(ipaddr.process(it), ip))) return true
  if (scope === 'public') return false
  if (!surroundings.interfaces.some(it => isWithin(ip, it))) return true
  return connections.some(
    ({ remotePeer, remoteAddr }) => !remotePeer.equals(requester.remotePeer) && isSame(ipOf(remoteAddr), ip),
  )
}

function isSame(one: Ip | undefined, other: Ip): boolean {
  return one?.toString() === other.toString()
}

function isWithin(ip: Ip, subnet: string): boolean {
  const [address, bits] = ipaddr.parseCIDR(subnet)
  if (ip instanceof ipaddr.IPv4) return address instanceof ipaddr.IPv4 && ip.match(address, bits)
  return address instanceof ipaddr.IPv6 && ip.match(address, bits)
}
