/**
 * Finds the network of this host: the gateway of its IPv4 default route, and the address that it uses towards
 * it.
 *
 * Linux lists the route in /proc. On other platforms the gateway stays unknown, and only UPnP works, which
 * finds it by multicast. Punching needs Linux as well.
 */

import { defaultGateway } from '../../src/addresses/default-routes.ts'
import { ownAddressTowards } from './datagrams.ts'
import { SSDP_ADDRESS } from './ssdp.ts'
import type { Network } from './mapper.ts'

/** Resolves with the network, or `undefined` if there is no IPv4 default route. */
export async function findNetwork(): Promise<Network | undefined> {
  const gateway = defaultGateway()
  if (gateway === undefined && process.platform === 'linux') return undefined
  try {
    return { gateway, ownAddress: await ownAddressTowards(gateway ?? SSDP_ADDRESS) }
  } catch {
    return undefined // there is no route to the gateway
  }
}
