/**
 * `/dnsaddr/NAME`: the addresses that a name stands for, as text records of `_dnsaddr.NAME`.
 *
 * Spec: https://github.com/multiformats/multiaddr/blob/master/protocols/DNSADDR.md
 */

import { Resolver } from 'node:dns/promises'
import { parseMultiaddr } from '../../src/addresses/peer-id.ts'
import { CODE_DNSADDR, CODE_P2P } from '@multiformats/multiaddr'
import type { AbortOptions } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Names that one name may stand for, one inside the other (the specification leaves it open; go-multiaddr-dns has 32 lookups in all). */
const MAX_DEPTH = 3

/** Addresses that are taken of one name: whoever answers for it may say anything. */
const MAX_ADDRS = 32

/** Time for one answer of the system's name servers in milliseconds, and how often each is asked. */
const QUERY = { timeout: 3_000, tries: 2 } as const

const PREFIX = 'dnsaddr='

/** Looks up the text records of a name. */
export type LookUpText = (name: string, options: AbortOptions) => Promise<string[][]>

/** True for an address that has to be looked up. */
export function isDnsaddr(addr: Multiaddr): boolean {
  return addr.getComponents()[0]?.code === CODE_DNSADDR
}

/**
 * The addresses that this one stands for; those of other peers than the one at its end are left out.
 *
 * @throws what the name servers say (ENOTFOUND, ENODATA, ETIMEOUT, ...), or the signal's reason
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
  const [name, ...rest] = addr.getComponents()
  if (name?.code !== CODE_DNSADDR) return [addr]
  if (depth === 0) return []
  const records = await options.lookUp(`_dnsaddr.${name.value}`, options)
  const peerId = rest.findLast(it => it.code === CODE_P2P)?.value
  const addrs = records.flatMap(parts => read(parts.join(''))).slice(0, MAX_ADDRS)
  const wanted = addrs.filter(it => peerId === undefined || peerIdOf(it) === peerId)
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

function peerIdOf(addr: Multiaddr): string | undefined {
  return addr.getComponents().findLast(it => it.code === CODE_P2P)?.value
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
