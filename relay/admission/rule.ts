/**
 * Admission rules: each matches one peer, or all peers that connect from a range of IP addresses.
 *
 * Invariant: a range that is accepted can match. The relay sees an IPv4 peer by its IPv4 address, so a range that is
 * written as IPv6 for IPv4 addresses becomes an IPv4 range, or is refused. A deny rule that matches nobody would let in
 * those whom it names.
 */

import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { peerIdKind } from '../../src/config/kinds/address-kinds.ts'
import { ipOf } from '../../src/limits/ip-network.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Kind } from '../../src/config/kinds/kind.ts'

type Range = readonly [address: ipaddr.IPv4 | ipaddr.IPv6, bits: number]

/** A peer id, or a range of IP addresses. */
export type Rule = { readonly peerId: PeerId } | { readonly range: Range }

/** `PEER` or `CIDR`. An address without a prefix length matches that address only. Bits behind the prefix do not count. */
export const ruleKind: Kind<Rule> = {
  noun: 'a peer id or a range of IP addresses',
  placeholder: 'PEER|CIDR',
  example: '192.0.2.0/24',
  parse(text, place) {
    // ipaddr.js also accepts 192.0.2 and 0x7f.1 as addresses, as inet_aton does
    if (isIP(text.split('/', 1)[0] ?? '') !== 0 && ipaddr.isValidCIDR(text)) {
      return { range: rangeOf(...ipaddr.parseCIDR(text)) }
    }
    if (isIP(text) !== 0) {
      const address = ipaddr.parse(text)
      return { range: rangeOf(address, address.kind() === 'ipv4' ? 32 : 128) }
    }
    if (/[./:]/.test(text)) throw new Error('expected an IP address, or a range such as 192.0.2.0/24')
    return { peerId: peerIdKind.parse(text, place) }
  },
  print: printRule,
}

/** The bits of an IPv6 address before those of an IPv4 address in it (RFC 4291, section 2.5.5). */
const MAPPED_BITS = 96

/** @throws {Error} for a range that no peer can be in */
function rangeOf(address: ipaddr.IPv4 | ipaddr.IPv6, bits: number): Range {
  if (address instanceof ipaddr.IPv6) {
    if (address.isIPv4MappedAddress()) {
      const ipv4 = address.toIPv4Address()
      if (bits < MAPPED_BITS)
        throw new Error(
          `expected at least ${MAPPED_BITS} bits for IPv4 addresses; write them as ${ipv4.toString()}/24`,
        )
      return rangeOf(ipv4, bits - MAPPED_BITS)
    }
    if (isIPv4Compatible(address, bits)) {
      const [high = 0, low = 0] = address.parts.slice(6)
      const ipv4 = [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
      throw new Error(`expected IPv4 addresses as IPv4, such as ${ipv4}/${Math.max(0, bits - MAPPED_BITS)}`)
    }
  }
  const isSingle = bits === (address instanceof ipaddr.IPv4 ? 32 : 128)
  if (isSingle && address.range() === 'unspecified')
    throw new Error('expected the address of a peer; for all peers, write 0.0.0.0/0 and ::/0')
  return [networkAddress(address, bits), bits]
}

/** A form that no peer has: `::192.0.2.1`. It begins as the unspecified address and the loopback address do. */
function isIPv4Compatible({ parts }: ipaddr.IPv6, bits: number): boolean {
  return bits >= MAPPED_BITS && parts.slice(0, 6).every(part => part === 0) && parts[6] !== 0
}

function networkAddress(address: ipaddr.IPv4 | ipaddr.IPv6, bits: number): ipaddr.IPv4 | ipaddr.IPv6 {
  // without a zone, which names an interface of this host
  if (address instanceof ipaddr.IPv6)
    return ipaddr.IPv6.networkAddressFromCIDR(`${new ipaddr.IPv6(address.parts).toString()}/${bits}`)
  return ipaddr.IPv4.networkAddressFromCIDR(`${address.toString()}/${bits}`)
}

/** Writes a rule in the syntax that {@link ruleKind} reads. */
export function printRule(rule: Rule): string {
  return 'peerId' in rule ? rule.peerId.toString() : `${rule.range[0].toString()}/${rule.range[1]}`
}

/** The first rule that matches the peer id or the IP address of a peer. `undefined` if none does. */
export function findRule(
  rules: readonly Rule[],
  { peerId, remoteAddr }: { peerId: PeerId; remoteAddr?: Multiaddr },
): Rule | undefined {
  const ip = remoteAddr === undefined ? undefined : ipOf(remoteAddr)
  return rules.find(rule =>
    'peerId' in rule ? rule.peerId.equals(peerId) : ip !== undefined && isWithin(ip, rule.range),
  )
}

function isWithin(ip: ipaddr.IPv4 | ipaddr.IPv6, [address, bits]: Range): boolean {
  if (ip instanceof ipaddr.IPv4) return address instanceof ipaddr.IPv4 && ip.match(address, bits)
  return address instanceof ipaddr.IPv6 && ip.match(address, bits)
}
