/** The networks by which remotes are limited: an IPv4 address, or an IPv6 /56. */

import { getNetConfig, isNetworkAddress } from '@libp2p/utils'
import ipaddr from 'ipaddr.js'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Prefix length of an IPv6 site, such as a home or an office. Its owner can use all addresses in it (RFC
 * 6177).
 */
const IPV6_SITE_BITS = 56

/**
 * Prefix lengths of the groups by which remotes share places, the widest first: what one subscriber of a provider can get
 * without effort (an IPv4 /24 is the smallest network that is routed and sold as a whole, RFC 7454 section 6.1.3), and the
 * network that limits count by.
 */
const SHARE_BITS = { ipv4: [24, 32], ipv6: [48, IPV6_SITE_BITS] } as const

/** The network of a remote. */
export interface RemoteNetwork {
  readonly family: 'ipv4' | 'ipv6'
  /** Equal for all remotes that count as one. */
  readonly key: string
}

/** The IP address in a multiaddr. `undefined` if it contains a host name or something else. */
export function ipOf(addr: Multiaddr): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (!isNetworkAddress(addr)) return undefined
  const { host } = getNetConfig(addr)
  // a dual-stack socket reports IPv4 addresses as IPv6, ::ffff:192.0.2.1
  return ipaddr.isValid(host) ? ipaddr.process(host) : undefined
}

/** The network of a remote. A remote without an IP address is its own network. */
export function networkOf(addr: Multiaddr): RemoteNetwork {
  const ip = ipOf(addr)
  if (ip === undefined || ip.kind() === 'ipv4') {
    return { family: 'ipv4', key: (ip ?? addr).toString() }
  }
  return { family: 'ipv6', key: prefixOf(ip, IPV6_SITE_BITS) }
}

/**
 * The groups of a remote, the widest first: an IPv4 /24 and the address, or an IPv6 /48 and the /56. A remote without an IP
 * address is a group of its own.
 */
export function sharesOf(addr: Multiaddr): readonly [wide: string, narrow: string] {
  const ip = ipOf(addr)
  if (ip === undefined) return [addr.toString(), addr.toString()]
  const [wide, narrow] = SHARE_BITS[ip.kind()]
  return [prefixOf(ip, wide), prefixOf(ip, narrow)]
}

function prefixOf(ip: ipaddr.IPv4 | ipaddr.IPv6, bits: number): string {
  const kind = ip.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6
  return `${kind.networkAddressFromCIDR(`${ip.toString()}/${bits}`).toString()}/${bits}`
}

/**
 * The block of addresses of a remote: an IPv4 /24, or an IPv6 /56. Who owns one address of a block often owns all. A
 * remote without an IP address is its own block.
 */
export function blockOf(addr: Multiaddr): string {
  const ip = ipOf(addr)
  if (ip === undefined || ip.kind() !== 'ipv4') return networkOf(addr).key
  return prefixOf(ip, SHARE_BITS.ipv4[0])
}
