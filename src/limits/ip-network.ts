/** Which remotes count as one: those of one IPv4 address, and those of one IPv6 /56. */

import { getNetConfig, isNetworkAddress } from '@libp2p/utils'
import ipaddr from 'ipaddr.js'
import type { Multiaddr } from '@multiformats/multiaddr'

/** A site's share of IPv6: a home or an office is given a /56, and whoever has one has all addresses in it (RFC 6177). */
const IPV6_SITE_BITS = 56

/** Where a remote comes from. */
export interface RemoteNetwork {
  readonly family: 'ipv4' | 'ipv6'
  /** The same text for all that count as one. */
  readonly key: string
}

/** The IP address in a multiaddr, or nothing if it names a host or another kind of place. */
export function ipOf(addr: Multiaddr): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (!isNetworkAddress(addr)) return undefined
  const { host } = getNetConfig(addr)
  // an IPv4 address may be written as IPv6, ::ffff:192.0.2.1, where a socket takes both
  return ipaddr.isValid(host) ? ipaddr.process(host) : undefined
}

/** The network that a remote counts for; one without an IP address counts for itself. */
export function networkOf(addr: Multiaddr): RemoteNetwork {
  const ip = ipOf(addr)
  if (ip === undefined || ip.kind() === 'ipv4') {
    return { family: 'ipv4', key: (ip ?? addr).toString() }
  }
  const site = ipaddr.IPv6.networkAddressFromCIDR(`${ip.toString()}/${IPV6_SITE_BITS}`)
  return { family: 'ipv6', key: `${site.toString()}/${IPV6_SITE_BITS}` }
}
