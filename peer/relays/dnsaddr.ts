/**
 * Resolves `/dnsaddr/NAME` to addresses, by the text records of `_dnsaddr.NAME`.
 *
 * Spec: https://github.com/multiformats/multiaddr/blob/master/protocols/DNSADDR.md
 */

import { Resolver } from 'node:dns/promises'
import { parseMultiaddr } from '../../src/addresses/peer-id.ts'
import { CODE_DNSADDR } from '@multiformats/multiaddr'
import { lastPeerId } from '../../src/addresses/circuit.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Most levels of names that lead to names. The specification sets no limit; go-multiaddr-dns allows 32
 * lookups in all.
 */
const MAX_DEPTH = 3

/** Most addresses from one name, because its owner may publish anything. */
const MAX_ADDRS = 32

/** Time for one answer of the system's name servers, in milliseconds, and the number of tries per server. */
const QUERY = { timeout: 3_000, tries: 2 } as const

const PREFIX = 'dnsaddr='

/** Looks up the text records of a name. */
export type LookUpText = (name: string, options: AbortOptions) => Promise<string[][]>

/** True if an address must be resolved first. */
export function isDnsaddr(addr: Multiaddr): boolean {
  return addr.getComponents()[0]?.code === CODE_DNSADDR
}

/**
 * The addresses of a name. If the name ends in a peer id, the addresses of other peers are left out.
 *
 * @throws the error of the name servers (ENOTFOUND, ENODATA, ETIMEOUT, ...), or ECANCELLED when `signal`
 * fires
 */
export async function resolveDnsaddr(
  addr: Multiaddr,
  options: AbortOptions = {},
  lookUp: LookUpText = lookUpText,
): Promise<Multiaddr[]> {
  const found = await resolve(addr, MAX_DEPTH, { ...options, lookUp })
  return found.slice(0, MAX_ADDRS)
}

async function resolve(
  addr: Multiaddr,
  depth: number,
  options: AbortOptions & { lookUp: LookUpText },
): Promise<Multiaddr[]> {
  const [name] = addr.getComponents()
  if (name?.code !== CODE_DNSADDR) return [addr]
  if (depth === 0) return []
  const records = await options.lookUp(`_dnsaddr.${name.value}`, options)
  const peerId = lastPeerId(addr)
  const addrs = records.flatMap(parts => read(parts.join(''))).slice(0, MAX_ADDRS)
  const wanted = addrs.filter(it => peerId === '' || lastPeerId(it) === peerId)
  const nested = await Promise.all(wanted.map(async it => resolve(it, depth - 1, options)))
  return nested.flat()
}

function read(record: string): Multiaddr[] {
  if (!record.startsWith(PREFIX)) return []
  try {
    return [parseMultiaddr(record.slice(PREFIX.length))]
  } catch {
    return []
  }
}

const lookUpText: LookUpText = async (name, { signal }) => {
  const resolver = new Resolver(QUERY)
  const cancel = (): void => resolver.cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    return await resolver.resolveTxt(name)
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}
