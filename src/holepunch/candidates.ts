/**
 * Candidates: the endpoints that two peers offer each other to punch to.
 *
 * What is offered are endpoints that lead to the punch port. What is accepted from a remote is hostile until shown
 * otherwise: it makes this node send SYNs. So it is bounded in number, and never loopback, link-local, multicast,
 * a name, a circuit or this node itself. Private addresses are exchanged only between peers that share a public
 * address: they are behind one NAT, which may not be able to hairpin (RFC 4787 REQ-9). A remote can only claim that, and
 * what else there is in a private network trusts all that can reach it: so no ports of system services there, nor here, and
 * what inside.ts says.
 */

import net from 'node:net'
import { FIRST_USER_PORT, scopeOf } from '../addresses/scope.ts'
import type { Scope } from '../addresses/scope.ts'
import { multiaddr } from '@multiformats/multiaddr'
import { endpointOf, withoutPeerId } from '../addresses/endpoint.ts'
import { fitting, usefulFirst } from '../addresses/ranking.ts'
import { isPunchable } from '../transport/punch-transport.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { IsInside } from './inside.ts'

/**
 * How many addresses of one remote are dialled at once. A peer has one endpoint per family and observer, and one or
 * two in its LAN; go-libp2p's observed address manager keeps 3 per local address (`maxExternalThinWaistAddrsPerLocalAddr`).
 */
export const MAX_CANDIDATES = 8

/** What this node knows of itself. */
export interface LocalAddresses {
  /** Seen by relays. */
  observed: readonly Multiaddr[]
  /** Of the listeners, wildcards resolved to interfaces. */
  listening: readonly Multiaddr[]
  /** Configured by the user, or made by a port mapping. */
  announced: readonly Multiaddr[]
  /** Known to lead to this node without a punch: announced, or verified. */
  reachable: readonly Multiaddr[]
}

/** The endpoints to offer to a remote on the public network, best first. */
export function publicCandidates({ observed, announced, listening }: LocalAddresses): Multiaddr[] {
  return unique([...observed, ...announced, ...usefulFirst(listening)].filter(isPublic))
}

/** The endpoints at which any remote can dial this node without a punch. */
export function reachableCandidates({ reachable }: LocalAddresses): Multiaddr[] {
  return unique(reachable.filter(isPublic))
}

/** The endpoints to offer to a remote behind the same NAT. */
export function privateCandidates({ listening }: LocalAddresses): Multiaddr[] {
  return unique(usefulFirst(listening.filter(addr => scopeOfAddr(addr) === 'private')))
}

/** Tells whether two peers come from one public address: they are behind the same NAT, or on one host. */
export function shareHost(local: readonly Multiaddr[], remote: readonly Multiaddr[]): boolean {
  const hosts = new Set(local.map(addr => endpointOf(addr).host))
  return remote.some(addr => hosts.has(endpointOf(addr).host))
}

/**
 * The endpoints to offer to a remote, as far as its own are known. Private ones go to a remote behind the same NAT only;
 * the responder offers first, and one private SYN each way is not needed.
 */
export function offerTo(local: LocalAddresses, remote: RemoteCandidates): Multiaddr[] {
  const offer = publicCandidates(local)
  if (!shareHost(offer, remote.public)) return offer
  // the remote takes no more in all, and a private address is the one that works where the NAT does not hairpin
  const inside = best(privateCandidates(local), MAX_CANDIDATES / 2)
  return [...best(offer, MAX_CANDIDATES - inside.length), ...inside]
}

/** True if one of these candidates is of a family in which this node has a public endpoint. */
export function hasWay(candidates: readonly Multiaddr[], local: LocalAddresses): boolean {
  const own = new Set(publicCandidates(local).map(isIPv6))
  return candidates.some(it => own.has(isIPv6(it)))
}

/** Tells the family of an address. */
export function isIPv6(addr: Multiaddr): boolean {
  return net.isIPv6(endpointOf(addr).host)
}

/** Which addresses of a remote are accepted. */
export interface AcceptOptions {
  /** Accept loopback addresses. @default false */
  acceptLoopback?: boolean
  /** True for an address whose path does not carry data: it is left out. @default none */
  isLossy?: (addr: Multiaddr) => boolean
  /** False for an address in the network of this node, or on its host, that is not dialled. @default all of those that are accepted otherwise */
  isInside?: IsInside
  /** False for a remote whose private addresses are not dialled. @default true */
  sharesNetwork?: boolean
}

/** The remote's offer, as far as it may be dialled. */
export class RemoteCandidates {
  readonly #own: ReadonlySet<string>
  readonly #options: AcceptOptions
  readonly #accepted = new Map<string, Multiaddr>()
  #hasLossy = false

  /** `own` are this node's endpoints: a remote that offers them would have this node dial itself. */
  constructor(own: readonly Multiaddr[], options: AcceptOptions = {}) {
    this.#options = options
    this.#own = new Set(own.map(addr => bare(addr)?.toString() ?? ''))
  }

  /** Takes what a remote offers to a node with these addresses of its own. */
  static from(
    offered: readonly Multiaddr[],
    { observed, listening, announced }: LocalAddresses,
    options: AcceptOptions = {},
  ): RemoteCandidates {
    const candidates = new RemoteCandidates([...observed, ...listening, ...announced], options)
    for (const addr of best(candidates.#usable(offered), MAX_CANDIDATES)) candidates.offer(addr)
    return candidates
  }

  /** Takes an address from the offer if it may ever be dialled; tells whether it did. */
  offer(addr: Multiaddr): boolean {
    const [candidate] = this.#usable([addr])
    if (candidate === undefined) return false
    const text = candidate.toString()
    if (this.#accepted.size >= MAX_CANDIDATES && !this.#accepted.has(text)) return false
    this.#accepted.set(text, candidate)
    return true
  }

  /** True if an address was left out because its path does not carry data. */
  get hasLossy(): boolean {
    return this.#hasLossy
  }

  /** True if sockets from private addresses may be the remote's. */
  get sharesNetwork(): boolean {
    return this.#options.sharesNetwork !== false
  }

  /** The accepted addresses on the public network. */
  get public(): Multiaddr[] {
    return this.#within('public')
  }

  /** The accepted addresses in a private network, ours if the peers share a NAT. */
  get private(): Multiaddr[] {
    return this.#within('private')
  }

  /** The accepted addresses on the host itself, where these are accepted at all. */
  get loopback(): Multiaddr[] {
    return this.#within('loopback')
  }

  #within(scope: Scope): Multiaddr[] {
    return [...this.#accepted.values()].filter(addr => scopeOfAddr(addr) === scope)
  }

  /** Those of the remote's addresses that may ever be dialled, each once. */
  #usable(addrs: readonly Multiaddr[]): Multiaddr[] {
    const usable = new Map<string, Multiaddr>()
    for (const candidate of addrs.flatMap(addr => bare(addr) ?? [])) {
      const text = candidate.toString()
      if (!this.#mayBeDialled(candidate) || this.#own.has(text)) continue
      if (this.#options.isLossy?.(candidate) === true) this.#hasLossy = true
      else usable.set(text, candidate)
    }
    return [...usable.values()]
  }

  #mayBeDialled(candidate: Multiaddr): boolean {
    const endpoint = endpointOf(candidate)
    if (endpoint.port === 0 || this.#options.isInside?.(endpoint) === false) return false
    const scope = scopeOfAddr(candidate)
    if (scope === 'public') return true
    if (endpoint.port < FIRST_USER_PORT) return false
    return scope === 'private' || (scope === 'loopback' && this.#options.acceptLoopback === true)
  }
}

/** An address that a punch can lead to; a peer id at the end is cut off, since the peer is pinned by us. */
export function bare(addr: Multiaddr): Multiaddr | undefined {
  return isPunchable(addr) ? multiaddr(withoutPeerId(addr).toString()) : undefined
}

/** True for a TCP address in a private network. */
export function isPrivate(addr: Multiaddr): boolean {
  return scopeOfAddr(addr) === 'private'
}

/** True for a TCP address on the public network. */
export function isPublic(addr: Multiaddr): boolean {
  return scopeOfAddr(addr) === 'public'
}

function scopeOfAddr(addr: Multiaddr): Scope {
  const candidate = bare(addr)
  return candidate === undefined ? 'unusable' : scopeOf(endpointOf(candidate).host)
}

function unique(addrs: readonly Multiaddr[]): Multiaddr[] {
  const byText = new Map(addrs.map(addr => [bare(addr)?.toString() ?? '', withoutPeerId(addr)]))
  return best([...byText.values()], MAX_CANDIDATES)
}

/** The first ones, and some of each family. */
function best(addrs: readonly Multiaddr[], count: number): Multiaddr[] {
  return fitting(addrs, count, () => 1)
}
