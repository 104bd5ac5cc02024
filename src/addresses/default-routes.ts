/**
 * The default routes of this machine. Only Linux lists them, in /proc/net/route and /proc/net/ipv6_route; elsewhere there are none to see.
 * A route to half of the internet (0.0.0.0/1), as a VPN adds it, counts as one.
 */

import { readFileSync } from 'node:fs'

/** One route to ::. */
export interface DefaultRouteIPv6 {
  readonly device: string
  /** The next hop, in 32 hexadecimal digits. */
  readonly gateway: string
}

/** One route to 0.0.0.0. */
export interface DefaultRoute {
  readonly device: string
  /** The next hop, 0.0.0.0 if there is none; `undefined` if it cannot be read. */
  readonly gateway: string | undefined
  /** It is up, has a next hop, and leads to the whole internet. */
  readonly isComplete: boolean
  readonly metric: number
}

// linux/route.h: RTF_UP, RTF_GATEWAY
const UP_WITH_GATEWAY = 0x3

/** Reads the IPv4 routes as they are now. */
export function defaultRoutes(): DefaultRoute[] {
  return parseDefaultRoutes(read('/proc/net/route'))
}

/** Reads the IPv6 routes as they are now. */
export function defaultRoutesIPv6(): DefaultRouteIPv6[] {
  return parseDefaultRoutesIPv6(read('/proc/net/ipv6_route'))
}

/** By path: the text, as it was when it could be read. */
const known = new Map<string, string>()

/** A system without free file descriptors still has its routes. */
function read(path: string): string {
  try {
    known.set(path, readFileSync(path, 'utf8'))
  } catch {
    // not Linux, or /proc is not mounted, or it cannot be read just now
  }
  return known.get(path) ?? ''
}

/** Finds the default routes in the text of /proc/net/route. */
export function parseDefaultRoutes(text: string): DefaultRoute[] {
  return text
    .split('\n')
    .map(line => line.split('\t'))
    .filter(([, destination]) => destination === '00000000')
    .map(([device = '', , gateway = '', flags = '', , , metric, mask]) => ({
      device,
      gateway: addressOf(gateway),
      isComplete:
        (Number.parseInt(flags, 16) & UP_WITH_GATEWAY) === UP_WITH_GATEWAY && mask?.trim() === '00000000',
      metric: Number(metric),
    }))
}

/** Finds the default routes in the text of /proc/net/ipv6_route. The kernel's own reject routes are on lo. */
export function parseDefaultRoutesIPv6(text: string): DefaultRouteIPv6[] {
  const everywhere = '0'.repeat(32)
  return text
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .filter(([destination, length]) => destination === everywhere && length === '00')
    .map(([, , , , gateway = '', ...more]) => ({ device: more.at(-1) ?? '', gateway }))
    .filter(({ device }) => device !== 'lo')
}

/** The gateway of the complete route with the lowest metric. */
export function defaultGateway(routes: readonly DefaultRoute[] = defaultRoutes()): string | undefined {
  return routes.filter(it => it.isComplete).toSorted((one, other) => one.metric - other.metric)[0]?.gateway
}

/** The kernel prints an address as one number in host byte order, which is little-endian wherever Node runs. */
function addressOf(hex: string): string | undefined {
  if (!/^[\dA-F]{8}$/i.test(hex)) return undefined
  return Buffer.from(hex, 'hex').toReversed().join('.')
}
