/**
 * Which address of a request is dialled.
 *
 * Only the IP address that the request comes from, at any port: the requester could have others dialled otherwise, and would have to pay with data
 * for what it makes them suffer (autonat-v2.md, "Amplification Attack Prevention"). We ask for none, so what is elsewhere is not dialled.
 * Where the request comes from a private address, what is there trusts whoever is near: behind a proxy on this machine
 * all strangers come from such a one. So it is dialled only by a relay that has no public address, over TCP alone, and at no port of a system service.
 */

import { FIRST_USER_PORT, scopeOf } from '../../src/addresses/scope.ts'
import { multiaddr } from '@multiformats/multiaddr'
import { TCP } from '@multiformats/multiaddr-matcher'
import { MAX_ADDRS } from '../../src/protocols/autonat/messages.ts'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { ipOf } from '../../src/limits/ip-network.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Who asks, and where from. */
export interface Requester {
  peerId: PeerId
  remoteAddr: Multiaddr
  /** The relay's own addresses. */
  own: readonly Multiaddr[]
}

/** What is to be dialled. */
export interface Choice {
  /** Its place in the request. */
  index: number
  /** `/ip4|ip6/.../tcp/.../p2p/...`: whoever else answers there is not talked to. */
  addr: Multiaddr
}

/** The first address that may be dialled, or nothing. */
export function chooseAddr(addrs: readonly Uint8Array[], requester: Requester): Choice | undefined {
  for (const [index, bytes] of addrs.slice(0, MAX_ADDRS).entries()) {
    const addr = dialable(bytes, requester)
    if (addr !== undefined) return { index, addr }
  }
  return undefined
}

function dialable(bytes: Uint8Array, { peerId, remoteAddr, own }: Requester): Multiaddr | undefined {
  const addr = read(bytes)
  if (addr === undefined || !TCP.exactMatch(addr)) return undefined
  const [ip, from] = [ipOf(addr), ipOf(remoteAddr)]
  if (ip === undefined || from === undefined || ip.toString() !== from.toString()) return undefined
  const { port } = endpointOf(addr)
  const scope = scopeOf(ip.toString())
  if (port === 0 || scope === 'unusable') return undefined
  if (scope !== 'public' && !isAmongNeighbours({ port, remoteAddr, own })) return undefined
  return multiaddr(`/ip${ip.kind() === 'ipv6' ? 6 : 4}/${ip.toString()}/tcp/${port}/p2p/${peerId}`)
}

function read(bytes: Uint8Array): Multiaddr | undefined {
  try {
    return multiaddr(bytes)
  } catch {
    return undefined
  }
}

function isAmongNeighbours(init: { port: number } & Pick<Requester, 'remoteAddr' | 'own'>): boolean {
  const { port, remoteAddr, own } = init
  return port >= FIRST_USER_PORT && TCP.exactMatch(remoteAddr) && !own.some(isPublic)
}

/** A name is made for the public. */
function isPublic(addr: Multiaddr): boolean {
  const ip = ipOf(addr)
  return ip === undefined || scopeOf(ip.toString()) === 'public'
}
