/**
 * Which addresses a peer dials.
 *
 * An address that a person has given may be anywhere: the relays of this peer, and the addresses in a target. All others
 * are the word of a stranger: what a remote peer lists in identify, and what a ticket contains. Those must be on the
 * public network, so that nobody can make this peer connect to a program on its own host or in its own network.
 *
 * The invariant: the check looks at the addresses that a name stands for, and the dial uses exactly these.
 */

import QuickLRU from 'quick-lru'
import {
  CODE_DNS,
  CODE_DNS4,
  CODE_DNS6,
  CODE_IP4,
  CODE_IP6,
  CODE_SNI,
  isMultiaddr,
} from '@multiformats/multiaddr'
import { isCircuit, relayAddrOf } from '../../src/addresses/circuit.ts'
import { withoutPeerId } from '../../src/addresses/endpoint.ts'
import { isNamed, resolveHost } from '../../src/addresses/resolve-host.ts'
import { scopeOf } from '../../src/addresses/scope.ts'
import type { AbortOptions, Libp2p, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { LookUpHost } from '../../src/addresses/resolve-host.ts'

/** Addresses given by a person that a peer remembers: 100 bytes each. The one that was used the longest ago is forgotten. */
const MAX_GIVEN = 4_096

/** A host name (RFC 1123 section 2.1), with `_`. Anything else may mean one host to a name server and another one to a URL. */
const HOST_NAME = /^[\w.-]{1,253}$/

const NUMERIC: ReadonlySet<number> = new Set([CODE_IP4, CODE_IP6])
const NAMES: ReadonlySet<number> = new Set([CODE_DNS, CODE_DNS4, CODE_DNS6])

/** The policy of one peer. */
export class DialPolicy {
  readonly #given = new QuickLRU<string, true>({ maxSize: MAX_GIVEN })
  readonly #isRelay: (addr: Multiaddr) => boolean
  readonly #lookUp: LookUpHost | undefined

  /**
   * @param isRelay - true for an address of one of this peer's relays, without a peer id
   * @param lookUp - looks up host names; the system's resolver unless given
   */
  constructor(isRelay: (addr: Multiaddr) => boolean, lookUp?: LookUpHost) {
    this.#isRelay = isRelay
    this.#lookUp = lookUp
  }

  /** Allows an address that a person has given; of a circuit, that of its relay. */
  allow(addr: Multiaddr): void {
    const dialled = dialledOf(addr)
    if (!isEmpty(dialled)) this.#given.set(dialled.toString(), true)
  }

  /** True if a person has given this address; of a circuit, that of its relay. */
  isGiven(addr: Multiaddr): boolean {
    const dialled = dialledOf(addr)
    return this.#given.get(dialled.toString()) === true || this.#isRelay(dialled)
  }

  /** False for an address that {@link resolve} would refuse without looking up a name. */
  mayBeDialled(addr: Multiaddr): boolean {
    if (this.isGiven(addr)) return true
    const [host, ...rest] = addr.getComponents()
    if (host?.value === undefined) return false
    // a WebSocket connects to this name instead of the host, see multiaddrToUri()
    if (rest.some(({ code, value }) => code === CODE_SNI && value !== host.value)) return false
    return NAMES.has(host.code) ? HOST_NAME.test(host.value) : isPublic(addr)
  }

  /**
   * The addresses to dial for this one. All of them are public, unless a person has given it.
   *
   * @throws {DialNotAllowedError} if none is left
   * @throws what the look-up of a name fails with
   */
  resolve = async (addr: Multiaddr, options: AbortOptions = {}): Promise<Multiaddr[]> => {
    if (!this.mayBeDialled(addr)) throw new DialNotAllowedError(addr)
    const addrs = await resolveHost(addr, options, this.#lookUp)
    if (this.isGiven(addr)) return addrs
    const allowed = addrs.filter(isPublic)
    if (allowed.length === 0) throw new DialNotAllowedError(addr)
    return allowed
  }
}

/** Thrown when an address that only a ticket or a remote peer names is not on the public network. */
class DialNotAllowedError extends Error {
  static override readonly name = 'DialNotAllowedError'
  override readonly name = 'DialNotAllowedError'

  constructor(addr: Multiaddr) {
    const what = isNamed(addr) ? 'stands for no public address' : 'is no public address'
    super(
      `${addr} ${what}, and only a ticket or another peer names it; if you trust it, add it with --relay, or as the target`,
    )
  }
}

/** Has the policy allow what the application dials through libp2p itself. */
export function allowDialsOf(libp2p: Libp2p, policy: DialPolicy): void {
  const allow = (target: PeerId | Multiaddr | Multiaddr[]): void => {
    for (const each of Array.isArray(target) ? target : [target]) if (isMultiaddr(each)) policy.allow(each)
  }
  const dial = libp2p.dial.bind(libp2p)
  const dialProtocol = libp2p.dialProtocol.bind(libp2p)
  libp2p.dial = async (target, ...rest) => {
    allow(target)
    return dial(target, ...rest)
  }
  libp2p.dialProtocol = async (target, ...rest) => {
    allow(target)
    return dialProtocol(target, ...rest)
  }
}

/** What is dialled for an address: its own endpoint, or that of the relay. */
function dialledOf(addr: Multiaddr): Multiaddr {
  return withoutPeerId(isCircuit(addr) ? relayAddrOf(addr) : addr)
}

function isEmpty(addr: Multiaddr): boolean {
  return addr.getComponents().length === 0
}

function isPublic(addr: Multiaddr): boolean {
  const [host] = addr.getComponents()
  return host?.value !== undefined && NUMERIC.has(host.code) && scopeOf(host.value) === 'public'
}
