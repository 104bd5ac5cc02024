/**
 * The report of netcheck: the network between this host and its relays, in the terms of RFC 4787 and RFC
 * 5382.
 */

import type { PortMappingSupport } from '../port-mapping/probe.ts'

/**
 * How a NAT maps one local port towards several remotes (RFC 4787 section 4.1). `none` if there is no NAT. If
 * each relay listens on one port only, `address-dependent` may also be `address-and-port-dependent`, and
 * `why` mentions it.
 */
export type Mapping =
  | 'none'
  | 'endpoint-independent'
  | 'address-dependent'
  | 'address-and-port-dependent'
  | 'unknown'

/**
 * Who may send to a port that this host has sent from (RFC 4787 section 5): everyone, the hosts that it has
 * sent to, or only the endpoints that it has sent to.
 */
export type Filtering =
  | 'endpoint-independent'
  | 'address-dependent'
  | 'address-and-port-dependent'
  | 'unknown'

/** How an unexpected SYN is rejected: dropped, or refused by RST or ICMP (RFC 5382 REQ-4). */
export type Unsolicited = 'dropped' | 'refused' | 'unknown'

/** One local port, as one relay sees it. */
interface ObservedPort {
  /** The relay's address. */
  relay: string
  localPort: number
  /** `/ip4|ip6/.../tcp/...` */
  endpoint: string
}

/** Whether one address of a relay was reached. */
export interface RelayReach {
  addr: string
  /** The round-trip time of a ping, in milliseconds. `null` if the relay was not reached. */
  rttMs: number | null
  /** Why the relay was not reached. */
  problem?: string
}

/** The findings for one address family. */
export interface FamilyReport {
  mapping: Mapping
  filtering: Filtering
  /** True if a local port has the same number outside. `null` if there is no NAT, or it is unknown. */
  portPreserving: boolean | null
  unsolicited: Unsolicited
  /**
   * True if this host can reach itself at its external endpoint (RFC 5382 REQ-8). `null` if there is no NAT,
   * or it is unknown.
   */
  hairpinning: boolean | null
  observed: ObservedPort[]
}

/** The findings for IPv6, where a firewall is likely and a NAT is not. */
interface Ipv6Report extends FamilyReport {
  /** This host's global address. `null` if it has none. */
  address: string | null
  /** True if a relay was reached over IPv6. `null` if no relay has an IPv6 address. */
  relays: boolean | null
}

/** Reasons for the fields that are unknown. */
export type Reasons = Partial<
  Record<keyof FamilyReport | 'doubleNat' | 'only443' | 'portMapping' | `ipv6.${keyof FamilyReport}`, string>
>

/** The result of {@link runNetcheck}. The fields of {@link FamilyReport} are those of IPv4. */
export interface NetcheckReport extends FamilyReport {
  ipv6: Ipv6Report
  /**
   * True if there are two NATs in a row: two hops on the way have private addresses. `null` if it is unknown.
   */
  doubleNat: boolean | null
  /** True if relays are reached on port 443 and on no other port. `null` if it is unknown. */
  only443: boolean | null
  /** The port mapping protocols that the router supports. `null` if it was not asked. */
  portMapping: PortMappingSupport | null
  relays: RelayReach[]
  /** Why a field is `unknown` or null, and the evidence for `doubleNat`. */
  why: Reasons
  /** The summary for people, with advice. */
  verdict: string
}

/** A report in which everything is unknown for the same reason. */
export function unknownFamily(reason: string): { report: FamilyReport; why: FamilyReasons } {
  return {
    report: {
      mapping: 'unknown',
      filtering: 'unknown',
      portPreserving: null,
      unsolicited: 'unknown',
      hairpinning: null,
      observed: [],
    },
    why: {
      mapping: reason,
      filtering: reason,
      portPreserving: reason,
      unsolicited: reason,
      hairpinning: reason,
    },
  }
}

/** The reasons of one family. */
export type FamilyReasons = Partial<Record<keyof FamilyReport, string>>
