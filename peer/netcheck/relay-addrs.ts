/** The relay addresses to probe. Names are resolved first, because a probe must know which hosts differ. */

import { lookup } from 'node:dns/promises'
import { CODE_DNS4, CODE_DNS6, multiaddr } from '@multiformats/multiaddr'
import { TCP } from '@multiformats/multiaddr-matcher'
import { raceSignal } from 'race-signal'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { isDnsaddr, resolveDnsaddr } from '../relays/dnsaddr.ts'
import { relayIdOf } from '../connections/target.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Most addresses to probe; the rest is ignored. A relay has one or two per family, and more than four relays
 * reveal nothing new.
 */
const MAX_ADDRS = 16

/**
 * The addresses to probe, in the given order and without duplicates. A name that resolves to nothing stays as
 * it is, so that dialling it reports the reason.
 */
export async function resolveRelays(
  given: readonly Multiaddr[],
  options: AbortOptions,
): Promise<Multiaddr[]> {
  const addrs = await Promise.all(given.map(async addr => resolve(addr, options)))
  const unique = new Map(addrs.flat().map(addr => [addr.toString(), addr]))
  return [...unique.values()].slice(0, MAX_ADDRS)
}

async function resolve(addr: Multiaddr, options: AbortOptions): Promise<Multiaddr[]> {
  if (!isDnsaddr(addr)) return resolveHost(addr, options)
  const found = await resolveDnsaddr(addr, options).catch(() => [])
  const hosts = await Promise.all(found.filter(isRelayAddr).map(async it => resolveHost(it, options)))
  return hosts.length === 0 ? [addr] : hosts.flat()
}

/** Resolves plain TCP addresses only. With TLS the name must stay, because it is in the certificate. */
async function resolveHost(addr: Multiaddr, options: AbortOptions): Promise<Multiaddr[]> {
  const [first] = addr.getComponents()
  if (!TCP.exactMatch(addr) || first?.name.startsWith('dns') !== true) return [addr]
  const { host, port } = endpointOf(addr)
  const family = first.code === CODE_DNS4 ? 4 : first.code === CODE_DNS6 ? 6 : 0
  try {
    const found = await raceSignal(lookup(host, { family, all: true }), options.signal)
    const id = relayIdOf(addr)
    return found.map(it => multiaddr(`/ip${it.family === 6 ? 6 : 4}/${it.address}/tcp/${port}/p2p/${id}`))
  } catch {
    return [addr]
  }
}

function isRelayAddr(addr: Multiaddr): boolean {
  try {
    relayIdOf(addr)
    return true
  } catch {
    return false
  }
}
