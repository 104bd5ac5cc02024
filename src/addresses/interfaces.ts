/** The network interfaces of this machine: which one has an address, and which one leads to the rest of the network. */

import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'

/** How long one look counts, in milliseconds: hosts with many addresses have long tables. */
const FRESH_MS = 1_000

/** What there is to know of them. */
export interface Interfaces {
  /** The interface that has this address; undefined if none has. */
  nameOf(host: string): string | undefined
  /** True if the default route of either family leaves through this interface. False for all where the system does not say. */
  hasDefaultRoute(name: string): boolean
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
    Object.entries(networkInterfaces()).flatMap(([name, list]) =>
      (list ?? []).map(({ address }) => [address, name] as const),
    ),
  )
  const leading = new Set(defaultRoutes().map(({ device }) => device))
  return { nameOf: host => names.get(host), hasDefaultRoute: name => leading.has(name) }
}

/** Where packets to the rest of the network leave. */
export interface DefaultRoute {
  readonly device: string
  /** The router, as the kernel writes it in /proc. */
  readonly gateway: string
}

/** The default routes of both families, in Linux; none elsewhere. */
export function defaultRoutes(): DefaultRoute[] {
  return [...defaultRoutesIPv4(), ...defaultRoutesIPv6()]
}

/** By /proc/net/route: device, destination and gateway first. */
function defaultRoutesIPv4(): DefaultRoute[] {
  return rows('/proc/net/route').flatMap(([device = '', destination, gateway = '']) =>
    destination === '00000000' ? [{ device, gateway }] : [],
  )
}

/** By /proc/net/ipv6_route: destination and length of its prefix first, gateway fifth, device last. The kernel's own reject routes are on lo. */
function defaultRoutesIPv6(): DefaultRoute[] {
  const everywhere = '0'.repeat(32)
  return rows('/proc/net/ipv6_route').flatMap(([destination, length, , , gateway = '', ...more]) => {
    const device = more.at(-1) ?? ''
    return destination === everywhere && length === '00' && device !== 'lo' ? [{ device, gateway }] : []
  })
}

/** The words of each line of a file; none where there is no such file. */
function rows(path: string): string[][] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .map(line => line.trim().split(/\s+/))
  } catch {
    return []
  }
}
