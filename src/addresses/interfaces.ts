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
  const leading = new Set([...defaultDevicesIPv4(), ...defaultDevicesIPv6()])
  return { nameOf: host => names.get(host), hasDefaultRoute: name => leading.has(name) }
}

/** The default routes of IPv4, as in /proc/net/route: device, destination and gateway first. None where there is no such file. */
export function defaultRoutesIPv4(): string[] {
  return read('/proc/net/route').filter(line => line.split('\t')[1] === '00000000')
}

function defaultDevicesIPv4(): string[] {
  return defaultRoutesIPv4().map(line => line.split('\t')[0] ?? '')
}

/** By /proc/net/ipv6_route: destination and length of its prefix first, the device last. The kernel's own reject routes are on lo. */
function defaultDevicesIPv6(): string[] {
  const prefix = `${'0'.repeat(32)} 00 `
  return read('/proc/net/ipv6_route')
    .filter(line => line.startsWith(prefix))
    .map(line => line.trim().split(/\s+/).at(-1) ?? '')
    .filter(device => device !== 'lo')
}

function read(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n')
  } catch {
    return []
  }
}
