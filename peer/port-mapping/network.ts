/**
 * Which network this host is in: the gateway of its IPv4 default route, and its own address towards that.
 *
 * Linux tells the route in /proc. Elsewhere the gateway stays unknown, and only UPnP, which finds it by multicast, is
 * of use; punching needs Linux as well.
 */

import { defaultGateway } from '../../src/addresses/default-routes.ts'
import { ownAddressTowards } from './datagrams.ts'
import { SSDP_ADDRESS } from './ssdp.ts'
import type { Network } from './mapper.ts'

/** `undefined` when there is no IPv4 default route. */
export async function findNetwork(): Promise<Network | undefined> {
  const gateway = defaultGateway()
  if (gateway === undefined && process.platform === 'linux') return undefined
  try {
    return { gateway, ownAddress: await ownAddressTowards(gateway ?? SSDP_ADDRESS) }
  } catch {
    return undefined // no route leads there
  }
}
