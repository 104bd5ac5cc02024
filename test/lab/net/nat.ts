/**
 * A router between a LAN and what is upstream of it: the NAT under test, or a plain or filtering router.
 *
 * Upstream is `wan0`, downstream the bridge `lan0`. What it does to packets is decided by `ruleSet` alone.
 */
import * as plan from './addresses.ts'
import { Lan } from './lan.ts'
import { Machine } from './machine.ts'
import { createNamespace } from './namespaces.ts'
import { DEFAULT_LIFETIME_SECONDS, lifetimeChange, memoryOf, ruleSet } from './rule-set.ts'
import type { MachineInit } from './machine.ts'
import type { NatKind } from './nat-kind.ts'
import type { Attachment, Segment } from './segment.ts'

const WAN = 'wan0'

export interface NatInit {
  readonly name: string
  readonly namespaceName: string
  readonly kind: NatKind
  readonly site: number
  readonly upstream: Segment
  /** The NAT that this one is behind. */
  readonly behind: Nat | undefined
}

export class Nat extends Machine {
  readonly kind: NatKind
  readonly behind: Nat | undefined
  /** What hosts behind this NAT are plugged into. */
  readonly lan: Lan

  constructor(init: MachineInit & { kind: NatKind; behind: Nat | undefined; lan: Lan }) {
    super(init)
    this.kind = init.kind
    this.behind = init.behind
    this.lan = init.lan
  }

  /** The IPv4 address on the upstream side; private when this NAT is behind another one. */
  get externalAddress(): string {
    return this.address
  }

  /** The IPv4 address under which the wide area knows what is behind this NAT. */
  get publicAddress(): string {
    return this.behind === undefined ? this.externalAddress : this.behind.publicAddress
  }

  /** The rules with their counters and maps, as nft prints them. */
  async ruleset(): Promise<string> {
    return (await this.namespace.exec(['nft', 'list', 'ruleset'])).stdout
  }

  /** The tracked connections, one a line, IPv4 before IPv6. */
  async conntrack(): Promise<string> {
    const tables = ['ipv4', 'ipv6'].map(async family => {
      return (await this.namespace.exec(['conntrack', '-L', '-f', family])).stdout
    })
    return (await Promise.all(tables)).join('')
  }

  /** Forgets all connections and mappings, as a router does that restarts. */
  async flushConntrack(): Promise<void> {
    const { ipv4 } = this.kind
    const maps = typeof ipv4 === 'string' ? [] : memoryOf(ipv4)
    await this.namespace.nft(
      maps.map(name => `flush ${name === 'taken' ? 'set' : 'map'} ip nat ${name}\n`).join(''),
    )
    await this.namespace.exec(['conntrack', '-F'])
  }

  /**
   * Lets established connections and their mappings go after so much silence. A connection takes it on with its
   * next packet.
   */
  async setIdleTimeout(seconds: number): Promise<void> {
    await this.namespace.set([['net/netfilter/nf_conntrack_tcp_timeout_established', String(seconds)]])
    const { ipv4 } = this.kind
    if (typeof ipv4 !== 'string') await this.namespace.nft(lifetimeChange(ipv4, seconds))
  }
}

/** Makes a router. It offers the address families that its kind has and that come from upstream. */
export async function createNat(init: NatInit): Promise<Nat> {
  const { name, site, upstream, behind } = init
  const kind: NatKind = {
    ipv4: upstream.ipv4 ? init.kind.ipv4 : 'absent',
    ipv6: upstream.ipv6 ? init.kind.ipv6 : 'absent',
  }
  const namespace = await createNamespace(init.namespaceName, { forwarding: true })
  let attachment: Attachment | undefined
  const lan = new Lan({
    router: namespace,
    site,
    ipv4: lanIpv4(kind),
    ipv6: kind.ipv6 !== 'absent',
    uplink: () => {
      if (attachment === undefined) throw new Error(`${name} has no uplink yet`)
      return attachment
    },
  })
  await lan.create()
  attachment = await upstream.attach({ namespace, device: WAN, site, ipv4: lan.ipv4, ipv6: lan.ipv6 })
  if (kind.ipv4 === 'open') await attachment.announce(plan.lanPrefix(site, true))
  const { address: externalAddress } = attachment
  await namespace.nft(ruleSet({ kind, ...(externalAddress === undefined ? {} : { externalAddress }) }))
  // Connection tracking exists in a namespace once a rule asks for it.
  await namespace.set([
    ['net/netfilter/nf_conntrack_tcp_timeout_established', String(DEFAULT_LIFETIME_SECONDS)],
  ])
  return new Nat({ name, namespace, device: WAN, attachment, kind, behind, lan })
}

function lanIpv4({ ipv4 }: NatKind): 'private' | 'public' | 'absent' {
  if (ipv4 === 'absent') return 'absent'
  return ipv4 === 'open' ? 'public' : 'private'
}
