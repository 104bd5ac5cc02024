/** The network interfaces of this machine: which one has an address, and which one leads to the rest of the network. */

import net from 'node:net'
import { networkInterfaces } from 'node:os'
import type { NetworkInterfaceInfo } from 'node:os'
import { scopeOf } from './scope.ts'
import { defaultRoutes, defaultRoutesIPv6 } from './default-routes.ts'

/** How long one look counts, in milliseconds: hosts with many addresses have long tables. */
const FRESH_MS = 1_000

/** What there is to know of them. */
export interface Interfaces {
  /** The interface that has this address; undefined if none has. */
  nameOf(host: string): string | undefined
  /** True if the default route of either family leaves through this interface. False for all where the system does not say. */
  hasDefaultRoute(name: string): boolean
  /** True if this address is in the network of one of the interfaces, loopback left out. */
  hasNetworkOf?(host: string): boolean
}

let known: NodeJS.Dict<NetworkInterfaceInfo[]> = {}

/** `networkInterfaces()`, as it was before where it fails now: without a free file descriptor, it throws. */
export function allInterfaces(): NodeJS.Dict<NetworkInterfaceInfo[]> {
  try {
    known = networkInterfaces()
  } catch {
    // the system does not say
  }
  return known
}

let last: { readonly interfaces: Interfaces; readonly readAt: number } | undefined

/** The interfaces as they are now, or were a second ago. */
export function localInterfaces(): Interfaces {
  const now = performance.now()
  if (last === undefined || now - last.readAt >= FRESH_MS)
    last = { interfaces: readInterfaces(), readAt: now }
  return last.interfaces
}

/** True for an address of this machine: loopback, or that of an interface. */
export function isOwnHost(host: string, interfaces: Interfaces = localInterfaces()): boolean {
  return scopeOf(host) === 'loopback' || interfaces.nameOf(host) !== undefined
}

/** True for an address in the network of one of this machine's interfaces, loopback left out. */
export function isOwnNetwork(host: string, interfaces: Interfaces = localInterfaces()): boolean {
  return interfaces.hasNetworkOf?.(host) === true
}

/** Has the next look be a fresh one: the interfaces have changed. */
export function forgetInterfaces(): void {
  last = undefined
}

function readInterfaces(): Interfaces {
  const all = allInterfaces()
  const networks = new net.BlockList()
  for (const { internal, cidr, family } of Object.values(all).flatMap(list => list ?? [])) {
    const [address = '', length] = cidr?.split('/') ?? []
    if (!internal && length !== undefined)
      networks.addSubnet(address, Number(length), family === 'IPv6' ? 'ipv6' : 'ipv4')
  }
  const names = new Map(
    Object.entries(all).flatMap(([name, list]) =>
      (list ?? []).map(({ address }) => [address, name] as const),
    ),
  )
  const leading = new Set([...defaultRoutes(), ...defaultRoutesIPv6()].map(({ device }) => device))
  return {
    nameOf: host => names.get(host),
    hasDefaultRoute: name => leading.has(name),
    hasNetworkOf: host => networks.check(host, net.isIPv6(host) ? 'ipv6' : 'ipv4'),
  }
}
