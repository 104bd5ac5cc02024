/** The network interfaces of this machine: which one has an address, and which one leads to the rest of the network. */

import { networkInterfaces } from 'node:os'
import type { NetworkInterfaceInfo } from 'node:os'
import { defaultRoutes, defaultRoutesIPv6 } from './default-routes.ts'

/** How long one look counts, in milliseconds: hosts with many addresses have long tables. */
const FRESH_MS = 1_000

/** What there is to know of them. */
export interface Interfaces {
  /** The interface that has this address; undefined if none has. */
  nameOf(host: string): string | undefined
  /** True if the default route of either family leaves through this interface. False for all where the system does not say. */
  hasDefaultRoute(name: string): boolean
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

/** Has the next look be a fresh one: the interfaces have changed. */
export function forgetInterfaces(): void {
  last = undefined
}

function readInterfaces(): Interfaces {
  const names = new Map(
    Object.entries(allInterfaces()).flatMap(([name, list]) =>
      (list ?? []).map(({ address }) => [address, name] as const),
    ),
  )
  const leading = new Set([...defaultRoutes(), ...defaultRoutesIPv6()].map(({ device }) => device))
  return { nameOf: host => names.get(host), hasDefaultRoute: name => leading.has(name) }
}
