/** The networks by which remotes are limited: an IPv4 address, or an IPv6 /56. */

import { getNetConfig, isNetworkAddress } from '@libp2p/utils'
import ipaddr from 'ipaddr.js'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Prefix length of an IPv6 site, such as a home or an office. Its owner can use all addresses in it (RFC
 * 6177).
 */
const IPV6_SITE_BITS = 56

/** Prefix length of the smallest IPv4 network that providers route and sell as a whole (RFC 7454 section 6.1.3). */
const IPV4_BLOCK_BITS = 24

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
  const site = ipaddr.IPv6.networkAddressFromCIDR(`${ip.toString()}/${IPV6_SITE_BITS}`)
  return { family: 'ipv6', key: `${site.toString()}/${IPV6_SITE_BITS}` }
}

/**
 * The block of addresses of a remote: an IPv4 /24, or an IPv6 /56. Who owns one address of a block often owns all. A
 * remote without an IP address is its own block.
 */
export function blockOf(addr: Multiaddr): string {
  const ip = ipOf(addr)
  if (ip === undefined || ip.kind() !== 'ipv4') return networkOf(addr).key
  const block = ipaddr.IPv4.networkAddressFromCIDR(`${ip.toString()}/${IPV4_BLOCK_BITS}`)
  return `${block.toString()}/${IPV4_BLOCK_BITS}`
}
