/**
 * Finds the network of this host: the gateway of its IPv4 default route, and the address that it uses towards
 * it.
 *
 * Linux lists the route in /proc. On other platforms the gateway stays unknown, and only UPnP works, which
 * finds it by multicast. Punching needs Linux as well.
 */

import { readFile } from 'node:fs/promises'
import { ownAddressTowards } from './datagrams.ts'
import { SSDP_ADDRESS } from './ssdp.ts'
import type { Network } from './mapper.ts'

const ROUTES = '/proc/net/route'

/** Resolves with the network, or `undefined` if there is no IPv4 default route. */
export async function findNetwork(): Promise<Network | undefined> {
  const gateway = await findGateway()
  if (gateway === undefined && process.platform === 'linux') return undefined
  try {
    return { gateway, ownAddress: await ownAddressTowards(gateway ?? SSDP_ADDRESS) }
  } catch {
    return undefined // there is no route to the gateway
  }
}

async function findGateway(): Promise<string | undefined> {
  try {
    return defaultGateway(await readFile(ROUTES, 'utf8'))
  } catch {
    return undefined // not Linux, or /proc is not mounted
  }
}

// linux/route.h: RTF_UP, RTF_GATEWAY
const UP_WITH_GATEWAY = 0x3

/** The next hop of the default route with the lowest metric, read from the text of /proc/net/route. */
export function defaultGateway(routes: string): string | undefined {
  const [best] = routes
    .split('\n')
    .slice(1)
    .map(line => line.split('\t'))
    .filter(([, destination, , , , , , mask]) => destination === '00000000' && mask?.trim() === '00000000')
    .filter(([, , , flags = '']) => (Number.parseInt(flags, 16) & UP_WITH_GATEWAY) === UP_WITH_GATEWAY)
    .toSorted((one, other) => Number(one[6]) - Number(other[6]))
  return best === undefined ? undefined : addressOf(best[2] ?? '')
}

/**
 * The kernel prints an address as one number in host byte order, which is little-endian wherever Node runs.
 */
function addressOf(hex: string): string | undefined {
  if (!/^[\dA-F]{8}$/i.test(hex)) return undefined
  return Buffer.from(hex, 'hex').toReversed().join('.')
}
