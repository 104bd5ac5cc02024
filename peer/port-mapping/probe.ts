/** Which protocols of port mapping the network offers, for those who only want to know. Nothing is mapped. */

import { findNatPmp } from './nat-pmp.ts'
import { findNetwork } from './network.ts'
import { findPcp } from './pcp.ts'
import { findUpnp } from './upnp.ts'
import { anySignalOf } from '../../src/time/deadline.ts'
import type { FindMapper, MappingProtocol } from './mapper.ts'

/** How each protocol is looked for. */
export const finders: Readonly<Record<MappingProtocol, FindMapper>> = {
  pcp: findPcp,
  'nat-pmp': findNatPmp,
  upnp: findUpnp,
}

/** What {@link probePortMapping} found. */
export interface PortMappingSupport {
  upnp: boolean
  natPmp: boolean
  pcp: boolean
}

/**
 * How long gateways are waited for, in milliseconds. They answer within some milliseconds; SSDP allows a delay of a
 * second (MX) after the last of three questions at 2 s, and a device two requests more.
 */
export const SEARCH_TIMEOUT_MS = 5_000

/** Asks the gateway in all protocols at once; takes 5 s where one is not answered. Rejects only when `signal` fires. */
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
