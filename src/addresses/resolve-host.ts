/**
 * The addresses that a host name in a multiaddr stands for: `/dns4` those of IPv4, `/dns6` those of IPv6, `/dns` both.
 *
 * A name is not an address: it has no family, no scope, and may stand for several hosts. Whatever binds a port, compares
 * hosts or judges where they are works on what a name resolves to.
 * Spec: https://github.com/multiformats/multiaddr/blob/master/protocols/DNS.md
 */

import { lookup } from 'node:dns/promises'
import { CODE_DNS, CODE_DNS4, CODE_DNS6, CODE_IP4, CODE_IP6, multiaddr } from '@multiformats/multiaddr'
import { raceSignal } from 'race-signal'
import type { AbortOptions } from '@libp2p/interface'
import type { LookupAddress } from 'node:dns'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Looks up all addresses of a host. 0 stands for both families. */
export type LookUpHost = (host: string, family: 0 | 4 | 6) => Promise<LookupAddress[]>

/** Addresses of one name that are used; a name server may say any number. */
const MAX_ADDRS = 16

const FAMILY_OF: Readonly<Record<number, 0 | 4 | 6>> = { [CODE_DNS]: 0, [CODE_DNS4]: 4, [CODE_DNS6]: 6 }

/** RFC 6761 section 6.3: this name stands for both loopback addresses, whatever a hosts file says. */
const LOCALHOST: readonly LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
]

/** The system's resolver, which knows the hosts file, too. Its order is that of RFC 6724. */
export const lookUpHost: LookUpHost = async (host, family) => {
  if (/^localhost\.?$/i.test(host)) return LOCALHOST.filter(it => family === 0 || it.family === family)
  return lookup(host, { family, all: true, order: 'verbatim' })
}

/** True for an address that begins with a host name. */
export function isNamed(addr: Multiaddr): boolean {
  return FAMILY_OF[addr.getComponents()[0]?.code ?? -1] !== undefined
}

/**
 * The addresses to try for this one, in the order of RFC 8305 section 4: the families take turns, beginning with that
 * of the first answer. An address without a name is returned as it is. Aborting ends the wait, not the look-up.
 *
 * @throws what getaddrinfo(3) says (ENOTFOUND, EAI_AGAIN, ...), or the signal's reason
 */
export async function resolveHost(
  addr: Multiaddr,
  { signal }: AbortOptions = {},
  lookUp: LookUpHost = lookUpHost,
): Promise<Multiaddr[]> {
  const [name, ...rest] = addr.getComponents()
  const family = FAMILY_OF[name?.code ?? -1]
  if (name?.value === undefined || family === undefined) return [addr]
  const found = await raceSignal(lookUp(name.value, family), signal)
  return interleave(found)
    .slice(0, MAX_ADDRS)
    .map(it => multiaddr([hostComponent(it), ...rest]))
}

/** Each address once, the families in turns. */
function interleave(found: readonly LookupAddress[]): LookupAddress[] {
  const unique = [...new Map(found.map(it => [it.address, it])).values()]
  const first = unique.filter(it => it.family === unique[0]?.family)
  const second = unique.filter(it => it.family !== unique[0]?.family)
  return first.flatMap((it, index) => [it, second[index] ?? []].flat()).concat(second.slice(first.length))
}

function hostComponent({ address, family }: LookupAddress): { code: number; name: string; value: string } {
  return family === 6
    ? { code: CODE_IP6, name: 'ip6', value: address }
    : { code: CODE_IP4, name: 'ip4', value: address }
}
