/** What netcheck tells of the network between this host and its relays, in the terms of RFC 4787 and RFC 5382. */

import type { PortMappingSupport } from '../port-mapping/probe.ts'

/**
 * How a NAT maps one local port towards several remotes (RFC 4787 section 4.1); `none` where there is no NAT. With relays on one port of each host
 * `address-dependent` may also be `address-and-port-dependent`, and `why` says so.
 */
export type Mapping =
  | 'none'
  | 'endpoint-independent'
  | 'address-dependent'
  | 'address-and-port-dependent'
  | 'unknown'

/** Who may send to a port that this host has sent from (RFC 4787 section 5): everybody, hosts that it has sent to, or only their very ports. */
export type Filtering =
  | 'endpoint-independent'
  | 'address-dependent'
  | 'address-and-port-dependent'
  | 'unknown'

/** What becomes of a SYN that is not let in: silence, or a refusal by RST or ICMP (RFC 5382 REQ-4). */
export type Unsolicited = 'dropped' | 'refused' | 'unknown'

/** Where one relay sees one local port. */
interface ObservedPort {
  /** The relay's address. */
  relay: string
  localPort: number
  /** `/ip4|ip6/.../tcp/...` */
  endpoint: string
}

/** How it stands with one address of a relay. */
export interface RelayReach {
  addr: string
  /** Of a ping, in milliseconds; null where it was not reached. */
  rttMs: number | null
  /** Why it was not reached. */
  problem?: string
}

/** What can be told of one address family. */
export interface FamilyReport {
  mapping: Mapping
  filtering: Filtering
  /** A local port has the same number outside; null where there is no NAT, or it cannot be told. */
  portPreserving: boolean | null
  unsolicited: Unsolicited
  /** This host reaches itself by its external endpoint (RFC 5382 REQ-8); null where there is no NAT, or it cannot be told. */
  hairpinning: boolean | null
  observed: ObservedPort[]
}

/** What can be told of IPv6, where there may be a filter and should be no NAT. */
interface Ipv6Report extends FamilyReport {
  /** This host's global address, if it has one. */
  address: string | null
  /** A relay was reached over IPv6; null where no relay has an IPv6 address. */
  relays: boolean | null
}

/** The fields that may be unknown, each with the reason. */
export type Reasons = Partial<
  Record<keyof FamilyReport | 'doubleNat' | 'only443' | 'portMapping' | `ipv6.${keyof FamilyReport}`, string>
>

/** What {@link runNetcheck} resolves with. The fields of {@link FamilyReport} are those of IPv4. */
export interface NetcheckReport extends FamilyReport {
  ipv6: Ipv6Report
  /** Two NATs in a row, told by two private hops on the way; null where it cannot be told. */
  doubleNat: boolean | null
  /** Relays are reached on port 443 and on no other; null where it cannot be told. */
  only443: boolean | null
  /** Which protocols of port mapping the router answers; null where it was not asked. */
  portMapping: PortMappingSupport | null
  relays: RelayReach[]
  /** Why a field is `unknown` or null, and what `doubleNat` is told by. */
  why: Reasons
  /** What it comes to, and what can be done about it. */
  verdict: string
}

/** Nothing is known, for one reason. */
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
