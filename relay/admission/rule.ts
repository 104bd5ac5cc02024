/** Admission rules: each matches one peer, or all peers that connect from a range of IP addresses. */

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

/** `PEER` or `CIDR`. An address without a prefix length matches that address only. */
export const ruleKind: Kind<Rule> = {
  noun: 'a peer id or a range of IP addresses',
  placeholder: 'PEER|CIDR',
  example: '192.0.2.0/24',
  parse(text, place) {
    // ipaddr.js also accepts 192.0.2 and 0x7f.1 as addresses, as inet_aton does
    if (isIP(text.split('/', 1)[0] ?? '') !== 0 && ipaddr.isValidCIDR(text)) {
      return { range: ipaddr.parseCIDR(text) }
    }
    if (isIP(text) !== 0) {
      const address = ipaddr.process(text)
      return { range: [address, address.kind() === 'ipv4' ? 32 : 128] }
    }
    if (/[./:]/.test(text)) throw new Error('expected an IP address, or a range such as 192.0.2.0/24')
    return { peerId: peerIdKind.parse(text, place) }
  },
  print: printRule,
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
