/**
 * Kinds of NAT and firewall as data, in the terms of RFC 4787 (behaviour) and RFC 5382 (the same for TCP).
 */

/**
 * Which external endpoint an inside endpoint gets. `eim`: endpoint-independent, the same towards everyone, with
 * the port preserved while it is free. `apdm`: address-and-port-dependent, a random port for every connection.
 * Spec: https://www.rfc-editor.org/rfc/rfc4787#section-4.1
 */
export type Mapping = 'eim' | 'apdm'

/**
 * Who may send to an external endpoint. `eif`: everyone. `adf`: any port of an address that the inside endpoint
 * has sent to. `apdf`: only the endpoints it has sent to.
 * Spec: https://www.rfc-editor.org/rfc/rfc4787#section-5
 */
export type Filtering = 'eif' | 'adf' | 'apdf'

/**
 * The reaction to a SYN that is not let in. `drop`: none. `rst`: a TCP reset. `icmp`: port unreachable, for IPv6
 * administratively prohibited (RFC 6092 REC-34). `stack`: no rule at all, so that the router's own TCP answers
 * with a reset and connection tracking remembers the refused SYN, as on a Linux router without a firewall.
 */
export type Unsolicited = 'drop' | 'rst' | 'icmp' | 'stack'

/** What a router does with IPv4. */
export interface Translation {
  readonly mapping: Mapping
  readonly filtering: Filtering
  readonly unsolicited: Unsolicited
  /** Whether a LAN host reaches another one by its external endpoint (RFC 4787 REQ-9). */
  readonly hairpinning: boolean
}

/** What a router does with IPv6: no translation, connections from inside only. */
export interface Firewall {
  readonly unsolicited: Unsolicited
}

/** A router's behaviour per address family: `open` routes without a filter, `absent` has no such addresses. */
export interface NatKind {
  readonly ipv4: Translation | 'open' | 'absent'
  readonly ipv6: Firewall | 'open' | 'absent'
}

/** The kinds that have a name. */
export type NatKindName = keyof typeof natKinds

/** The kinds that the matrix pairs with each other. Hairpinning is off unless asked for: Linux masquerading does not do it either. */
export const pairedKinds = {
  none: { ipv4: 'open', ipv6: 'open' },
  'eim-eif': translating('eim', 'eif', 'drop'),
  'eim-adf': translating('eim', 'adf', 'drop'),
  'eim-apdf-drop': translating('eim', 'apdf', 'drop'),
  'eim-apdf-rst': translating('eim', 'apdf', 'rst'),
  'eim-apdf-icmp': translating('eim', 'apdf', 'icmp'),
  'apdm-eif': translating('apdm', 'eif', 'drop'),
  'apdm-apdf-drop': translating('apdm', 'apdf', 'drop'),
  'apdm-apdf-rst': translating('apdm', 'apdf', 'rst'),
} as const satisfies Record<string, NatKind>

/** All named kinds. */
export const natKinds = {
  ...pairedKinds,
  'eim-apdf-stack': translating('eim', 'apdf', 'stack'),
  'apdm-adf': translating('apdm', 'adf', 'drop'),
  'apdm-apdf-icmp': translating('apdm', 'apdf', 'icmp'),
  firewall6: { ipv4: 'absent', ipv6: { unsolicited: 'drop' } },
  'firewall6-rst': { ipv4: 'absent', ipv6: { unsolicited: 'rst' } },
  'firewall6-icmp': { ipv4: 'absent', ipv6: { unsolicited: 'icmp' } },
} as const satisfies Record<string, NatKind>

function translating(mapping: Mapping, filtering: Filtering, unsolicited: Unsolicited): NatKind {
  return { ipv4: { mapping, filtering, unsolicited, hairpinning: false }, ipv6: 'absent' }
}
