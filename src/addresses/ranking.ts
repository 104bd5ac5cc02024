/**
 * Which of many addresses to announce, and in which order.
 *
 * A host with container bridges or service addresses has hundreds of addresses, and every message that lists them has a reader with a limit.
 * So addresses are ordered by how likely they help a remote, and the list ends where the message is full.
 */

import net from 'node:net'
import {
  CODE_DNS,
  CODE_DNS4,
  CODE_DNS6,
  CODE_IP4,
  CODE_IP6,
  CODE_IP6ZONE,
  CODE_P2P_CIRCUIT,
} from '@multiformats/multiaddr'
import { withoutPeerId } from './endpoint.ts'
import { localInterfaces } from './interfaces.ts'
import { scopeOf } from './scope.ts'

import type { Interfaces } from './interfaces.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Most bytes of addresses that a node announces in all, with what a list adds to each.
 *
 * The narrowest reader is that of identify in rust-libp2p: 4096 bytes (`MAX_MESSAGE_SIZE_BYTES` of protocols/identify/src/protocol.rs; go-libp2p keeps its own
 * messages below that for the same reason, `maxOwnIdentifyMsgSize` of p2p/protocol/identify/id.go, and @libp2p/identify reads 8192). Identify has every address twice, the second
 * time in the signed peer record, beside protocols, and keys and a signature which have 1.7 KB with RSA-4096.
 * 896 bytes are 74 IPv4 addresses, or 37 of IPv6.
 */
const MAX_ANNOUNCED_BYTES = 896

/** What a list adds to an address, in bytes: tag and length, and in a signed peer record those of the message around it, too. */
const LIST_OVERHEAD_BYTES = 4

/** The part of a list that each kind of address is sure of. */
const SURE_SHARE = 1 / 4

const NO_INTERFACES: Interfaces = { nameOf: () => undefined, hasDefaultRoute: () => false }

const HOST_CODES = new Set([CODE_IP4, CODE_IP6, CODE_DNS, CODE_DNS4, CODE_DNS6])

const SCOPES = ['public', 'private', 'loopback', 'unusable'] as const

/** How an address compares with others; the smaller number comes first, and the first that differs decides. */
type Rank = readonly [scope: number, source: number, round: number]

/**
 * Orders addresses by their use for a remote: public before private before loopback; in each, those that no interface has (they were announced, mapped or observed)
 * first, then those of the interface with the default route, then one of each other interface in turn, then circuits.
 */
export function usefulFirst(
  addrs: readonly Multiaddr[],
  interfaces: Interfaces = localInterfaces(),
): Multiaddr[] {
  const rounds = new Map<string, number>()
  const ranked = addrs.map(addr => ({ addr, rank: rankOf(addr, interfaces, rounds) }))
  return ranked.toSorted((one, other) => compare(one.rank, other.rank)).map(({ addr }) => addr)
}

/**
 * The first addresses that fit into a list. Each kind (IPv4, IPv6, a name, a circuit) keeps a quarter of the room, if it has that much.
 *
 * @param room - how much the list holds: bytes, or addresses
 * @param costOf - how much of that one address takes
 */
export function fitting(
  addrs: readonly Multiaddr[],
  room: number,
  costOf: (addr: Multiaddr) => number,
): Multiaddr[] {
  if (addrs.reduce((sum, addr) => sum + costOf(addr), 0) <= room) return [...addrs]
  const chosen = new Set<Multiaddr>()
  let left = room
  const take = (addr: Multiaddr): void => {
    if (chosen.has(addr) || costOf(addr) > left) return
    chosen.add(addr)
    left -= costOf(addr)
  }
  const shares = new Map<string, number>()
  for (const addr of addrs) {
    const kind = kindOf(addr)
    const share = (shares.get(kind) ?? 0) + costOf(addr)
    if (share > room * SURE_SHARE) continue
    shares.set(kind, share)
    take(addr)
  }
  addrs.forEach(take)
  return addrs.filter(addr => chosen.has(addr))
}

/**
 * Makes libp2p's `announceFilter`: it announces the most useful addresses, as many as every reader takes.
 *
 * @param isChosen - a person has listed the addresses: among those of one scope, their order stays
 */
export function announceFilter(isChosen = false): (addrs: Multiaddr[]) => Multiaddr[] {
  let last:
    | { readonly interfaces: Interfaces; readonly key: string; readonly result: Multiaddr[] }
    | undefined
  return addrs => {
    const [first] = addrs
    if (first === undefined) return []
    const interfaces = isChosen ? NO_INTERFACES : localInterfaces()
    // libp2p asks for each remote that identifies this node
    const key = addrs.join(' ')
    if (last?.interfaces === interfaces && last.key === key) return [...last.result]
    // all end in the node's own peer id, which no list repeats
    const ownId = first.bytes.byteLength - withoutPeerId(first).bytes.byteLength
    const costOf = (addr: Multiaddr): number => addr.bytes.byteLength - ownId + LIST_OVERHEAD_BYTES
    const result = fitting(usefulFirst(addrs, interfaces), MAX_ANNOUNCED_BYTES, costOf)
    last = { interfaces, key, result }
    return [...result]
  }
}

function rankOf(addr: Multiaddr, interfaces: Interfaces, rounds: Map<string, number>): Rank {
  const { host, family, isCircuit, rest } = partsOf(addr)
  if (host === undefined) return [SCOPES.length, 0, 0]
  // a name is given by a person, for the public
  const scope = family === 0 ? 0 : SCOPES.indexOf(scopeOf(host))
  if (isCircuit) return [scope, 3, 0]
  const name = interfaces.nameOf(host)
  if (name === undefined) return [scope, 0, 0]
  // each listener's addresses are counted by themselves: they differ in what follows the host
  const key = `${name} ${scope} ${family} ${rest}`
  const round = rounds.get(key) ?? 0
  rounds.set(key, round + 1)
  return [scope, interfaces.hasDefaultRoute(name) ? 1 : 2, round]
}

function compare(one: Rank, other: Rank): number {
  return one[0] - other[0] || one[1] - other[1] || one[2] - other[2]
}

function kindOf(addr: Multiaddr): string {
  const { host, family, isCircuit } = partsOf(addr)
  if (isCircuit) return 'circuit'
  return host === undefined ? 'other' : String(family)
}

/** What ranking looks at. */
interface Parts {
  /** Undefined for an address that begins with none. */
  readonly host: string | undefined
  /** 4, 6, or 0 for a name. */
  readonly family: number
  readonly isCircuit: boolean
  /** What follows the host. */
  readonly rest: string
}

/** Read once and in one go: this runs for hundreds of addresses, for each remote that asks. */
function partsOf(addr: Multiaddr): Parts {
  const [first, ...rest] = addr.getComponents().filter(it => it.code !== CODE_IP6ZONE)
  const host = first !== undefined && HOST_CODES.has(first.code) ? first.value : undefined
  return {
    host,
    family: host === undefined ? 0 : net.isIP(host),
    isCircuit: rest.some(it => it.code === CODE_P2P_CIRCUIT),
    rest: rest.map(it => it.value ?? it.name).join('/'),
  }
}
