/** Finds this host's gateway, and checks which port mapping protocols it offers. It maps nothing. */

import { defaultGateway } from '../../src/addresses/default-routes.ts'
import { ownAddressTowards } from './datagrams.ts'
import { findNatPmp } from './nat-pmp.ts'
import { findPcp } from './pcp.ts'
import { SSDP_ADDRESS } from './ssdp.ts'
import { findUpnp } from './upnp.ts'
import { anySignalOf } from '../../src/time/deadline.ts'
import type { FindMapper, MappingProtocol, Network } from './mapper.ts'

/** The search function of each protocol. */
export const finders: Readonly<Record<MappingProtocol, FindMapper>> = {
  pcp: findPcp,
  'nat-pmp': findNatPmp,
  upnp: findUpnp,
}

/** The protocols that {@link probePortMapping} found. */
export interface PortMappingSupport {
  upnp: boolean
  natPmp: boolean
  pcp: boolean
}

/**
 * How long to wait for gateways, in milliseconds. They answer within some milliseconds. SSDP sends the last
 * of three questions after 2 s, allows a delay of 1 s (MX) for the answer, and the device then needs two more
 * requests.
 */
export const SEARCH_TIMEOUT_MS = 5_000

/**
 * Asks the gateway in all protocols at the same time. Takes 5 s if one gets no answer. Cancelling stops the
 * search.
 *
 * @throws the reason of `signal` when that fires
 */
export async function probePortMapping(signal?: AbortSignal): Promise<PortMappingSupport> {
  signal?.throwIfAborted()
  const network = await findNetwork()
  if (network === undefined) return { upnp: false, natPmp: false, pcp: false }
  const limit = anySignalOf(signal, AbortSignal.timeout(SEARCH_TIMEOUT_MS))
  const answers = async (find: FindMapper): Promise<boolean> =>
    find(network, limit).then(
      () => true,
      () => false,
    )
  const [upnp, natPmp, pcp] = await Promise.all([findUpnp, findNatPmp, findPcp].map(answers))
  signal?.throwIfAborted()
  return { upnp: upnp === true, natPmp: natPmp === true, pcp: pcp === true }
}

/**
 * Finds the gateway of the IPv4 default route, and the address that this host uses towards it. Resolves with
 * `undefined` if there is no IPv4 default route.
 *
 * Linux lists the route in /proc. On other platforms the gateway stays unknown, and only UPnP works, which
 * finds it by multicast. Punching needs Linux as well.
 */
export async function findNetwork(): Promise<Network | undefined> {
  const gateway = defaultGateway()
  if (gateway === undefined && process.platform === 'linux') return undefined
  try {
    return { gateway, ownAddress: await ownAddressTowards(gateway ?? SSDP_ADDRESS) }
  } catch {
    return undefined // there is no route to the gateway
  }
}
