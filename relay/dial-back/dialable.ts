/**
 * Chooses the address of a dial-back request that the relay dials.
 *
 * The relay dials only the IP address that the request comes from, at any port. Otherwise a requester could
 * make the relay dial other hosts. The specification then demands data from the requester, in proportion to
 * the harm (autonat-v2.md, "Amplification Attack Prevention"); this relay asks for no data, so it refuses
 * other hosts.
 *
 * A private source address may belong to a host that trusts its neighbours. So only a relay without a public
 * address dials private ones, over TCP only, and never at a port of a system service. Addresses that may be
 * those of a proxy are not dialled at all, see proxies.ts.
 */

import { parseInPlace } from '../../src/addresses/parse-addresses.ts'
import { FIRST_USER_PORT, scopeOf } from '../../src/addresses/scope.ts'
import { multiaddr } from '@multiformats/multiaddr'
import { TCP } from '@multiformats/multiaddr-matcher'
import { MAX_ADDRS } from '../../src/protocols/autonat/messages.ts'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { ipOf } from '../../src/limits/ip-network.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** The requester, and where it connects from. */
export interface Requester {
  peerId: PeerId
  remoteAddr: Multiaddr
  /** The relay's own addresses. */
  own: readonly Multiaddr[]
}

/** The address to dial. */
export interface Choice {
  /** Its index in the request. */
  index: number
  /** `/ip4|ip6/.../tcp/.../p2p/...`. The peer id ensures that the relay talks to the requester only. */
  addr: Multiaddr
}

/** The first address that may be dialled. `undefined` if there is none. */
export function chooseAddr(addrs: readonly Uint8Array[], requester: Requester): Choice | undefined {
  for (const [index, offered] of parseInPlace(addrs.slice(0, MAX_ADDRS)).entries()) {
    const addr = offered === undefined ? undefined : dialable(offered, requester)
    if (addr !== undefined) return { index, addr }
  }
  return undefined
}

function dialable(addr: Multiaddr, { peerId, remoteAddr, own }: Requester): Multiaddr | undefined {
  if (!TCP.exactMatch(addr)) return undefined
  const [ip, from] = [ipOf(addr), ipOf(remoteAddr)]
  if (ip === undefined || from === undefined || ip.toString() !== from.toString()) return undefined
  const { port } = endpointOf(addr)
  const scope = scopeOf(ip.toString())
  if (port === 0 || scope === 'unusable') return undefined
  if (scope !== 'public' && !isAmongNeighbours({ port, remoteAddr, own })) return undefined
  return multiaddr(`/ip${ip.kind() === 'ipv6' ? 6 : 4}/${ip.toString()}/tcp/${port}/p2p/${peerId}`)
}

function isAmongNeighbours(init: { port: number } & Pick<Requester, 'remoteAddr' | 'own'>): boolean {
  const { port, remoteAddr, own } = init
  return port >= FIRST_USER_PORT && TCP.exactMatch(remoteAddr) && !own.some(isPublic)
}

/** A DNS name counts as public. */
function isPublic(addr: Multiaddr): boolean {
  const ip = ipOf(addr)
  return ip === undefined || scopeOf(ip.toString()) === 'public'
}
