/**
 * The lab's address plan: pure functions of small numbers, so that an address in a log tells where it belongs.
 *
 * Site `n` (a public host or a NAT) has 11.0.n.1 and 2a0f:fade:n::/48 in the wide area. Both are ranges that
 * libp2p libraries take for global unicast; documentation ranges (RFC 5737, RFC 3849) would be filtered out as
 * private. Nothing leaves the namespaces, so whose addresses they really are does not matter.
 */

/** The wide area's own address, the default gateway of every site. */
export const WIDE_AREA_GATEWAY = '11.255.255.254'

/** The IPv6 gateway on every link: the upstream end of a wide-area leg, or a router on its LAN. */
export const LINK_LOCAL_GATEWAY = 'fe80::1'

/** The link-local address of whatever a wide-area leg leads to. */
export const LINK_LOCAL_SITE = 'fe80::2'

/** The largest site number, since it is one byte of an IPv4 address. */
export const MAX_SITES = 254

/** A site's public IPv4 address. */
export const siteAddress = (site: number): string => `11.0.${site}.1`

/** A site's public IPv6 address: of the host, or of the router. */
export const siteAddress6 = (site: number): string => `2a0f:fade:${site.toString(16)}::1`

/** All IPv6 addresses of a site. */
export const sitePrefix6 = (site: number): string => `2a0f:fade:${site.toString(16)}::/48`

/** IPv4 on a site's LAN: private behind a NAT, public behind a plain router. */
export const lanAddress = (site: number, host: number, isPublic: boolean): string =>
  isPublic ? `11.1.${site}.${host}` : `192.168.${site}.${host}`

/** IPv6 on a site's LAN. */
export const lanAddress6 = (site: number, host: number): string =>
  `2a0f:fade:${site.toString(16)}:1::${host.toString(16)}`

/** The LAN's IPv4 network, which is routed to the site when it is public. */
export const lanPrefix = (site: number, isPublic: boolean): string =>
  isPublic ? `11.1.${site}.0/24` : `192.168.${site}.0/24`

/** IPv4 between a carrier's NAT and the home NATs behind it; the carrier itself is number 1. */
export const carrierAddress = (carrier: number, site: number): string => `10.${carrier}.0.${site}`

/** The link-local address of a router on its carrier's LAN, apart from those of the hosts there. */
export const carrierLinkLocal = (site: number): string => `fe80::1:${site.toString(16)}`

/** The link-local address of a host on a LAN. */
export const lanLinkLocal = (host: number): string => `fe80::${host.toString(16)}`
