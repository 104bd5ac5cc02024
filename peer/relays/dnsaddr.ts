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

/** Most levels of names that lead to names. The specification sets no limit. */
const MAX_DEPTH = 3

/**
 * Queries of one look-up, however its names lead to names: go-multiaddr-dns allows 32 in all (`resolve.go` of
 * github.com/multiformats/go-multiaddr-dns, `maximumRecursiveLimit`). The owner of a zone chooses how many names there are.
 */
export const MAX_QUERIES = 32

/** Queries of one look-up under way at a time: more would make this peer a burden on its name server. */
const MAX_QUERIES_AT_ONCE = 4

/** Most text records of one answer that are read. There may be others than addresses among them. */
const MAX_RECORDS = 64

/** Time for one look-up with all its queries, in milliseconds. */
const LOOK_UP_MS = 20_000

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
 * The addresses of a name. If the name ends in a peer id, the addresses of other peers are left out. A name that a name
 * leads to may fail; the rest is returned.
 *
 * @throws the error of the name servers (ENOTFOUND, ENODATA, ETIMEOUT, ...) if there is no address, or ECANCELLED when
 * `signal` fires
 */
export async function resolveDnsaddr(
  addr: Multiaddr,
  { signal }: AbortOptions = {},
  lookUp: LookUpText = lookUpText,
): Promise<Multiaddr[]> {
  const timeout = AbortSignal.timeout(LOOK_UP_MS)
  return new LookUp(lookUp, signal === undefined ? timeout : AbortSignal.any([signal, timeout])).run(addr)
}

/** One look-up: a level of names at a time, within one budget of queries. */
class LookUp {
  readonly #lookUp: LookUpText
  readonly #signal: AbortSignal
  readonly #asked = new Set<string>()
  readonly #found: Multiaddr[] = []
  #failure: unknown

  constructor(lookUp: LookUpText, signal: AbortSignal) {
    this.#lookUp = lookUp
    this.#signal = signal
  }

  async run(addr: Multiaddr): Promise<Multiaddr[]> {
    let level = this.#sort([addr])
    for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth++) {
      const next: Multiaddr[] = []
      for (let at = 0; at < level.length && this.#found.length < MAX_ADDRS; at += MAX_QUERIES_AT_ONCE) {
        const answers = level.slice(at, at + MAX_QUERIES_AT_ONCE).map(async name => this.#query(name))
        next.push(...(await Promise.all(answers)).flat())
      }
      level = this.#sort(next)
    }
    if (this.#found.length === 0 && this.#failure !== undefined) throw this.#failure
    return this.#found.slice(0, MAX_ADDRS)
  }

  /** Keeps the addresses, and returns the names that are still to be asked. */
  #sort(addrs: readonly Multiaddr[]): Multiaddr[] {
    this.#found.push(...addrs.filter(it => !isDnsaddr(it)))
    const names = new Map(addrs.filter(isDnsaddr).map(it => [it.toString(), it]))
    return [...names.values()].filter(it => !this.#asked.has(it.toString()))
  }

  async #query(name: Multiaddr): Promise<Multiaddr[]> {
    if (this.#asked.size >= MAX_QUERIES) return []
    this.#asked.add(name.toString())
    const [host] = name.getComponents()
    const peerId = lastPeerId(name)
    try {
      const records = await this.#lookUp(`_dnsaddr.${host?.value}`, { signal: this.#signal })
      const addrs = records
        .slice(0, MAX_RECORDS)
        .flatMap(parts => read(parts.join('')))
        .slice(0, MAX_ADDRS)
      return addrs.filter(it => peerId === '' || lastPeerId(it) === peerId)
    } catch (error) {
      this.#failure ??= error
      return []
    }
  }
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
