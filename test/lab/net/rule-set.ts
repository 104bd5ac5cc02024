/**
 * Turns a kind of NAT into nftables rules. Pure text: nothing here touches the system.
 *
 * Linux by itself is nearly endpoint-independent in mapping and address-and-port-dependent in filtering. The rest
 * is made exact by maps that the packets themselves fill in: after an outbound packet was translated, the chain
 * `remember` writes down which inside endpoint owns the external port, and the NAT chains look there.
 * Packets of a known connection (a simultaneous open's SYN among them) never come to a NAT chain, so the maps
 * cannot take them away from it.
 */
import type { Filtering, Mapping, NatKind, Translation, Unsolicited } from './nat-kind.ts'

/** RFC 5382 REQ-5: an established connection's mapping lives 2 hours 4 minutes without traffic, or longer. */
export const DEFAULT_LIFETIME_SECONDS = 7440

export interface RuleSetInit {
  readonly kind: NatKind
  /** Needed when IPv4 is translated. */
  readonly externalAddress?: string
  /** @default DEFAULT_LIFETIME_SECONDS */
  readonly lifetimeSeconds?: number
}

/** All rules of a router whose devices are `wan0` and `lan0`. */
export function ruleSet(init: RuleSetInit): string {
  const { kind, externalAddress, lifetimeSeconds = DEFAULT_LIFETIME_SECONDS } = init
  const tables = [filterTable(kind)]
  if (typeof kind.ipv4 !== 'string') {
    if (externalAddress === undefined) throw new TypeError('a translating router needs an external address')
    tables.push(natTable(kind.ipv4, externalAddress, lifetimeSeconds))
  }
  return tables.join('\n')
}

/** Commands that give all maps another lifetime from the next packet on, without forgetting what they hold. */
export function lifetimeChange(translation: Translation, lifetimeSeconds: number): string {
  const rules = rememberRules(translation, lifetimeSeconds)
  return ['flush chain ip nat remember', ...rules.map(rule => `add rule ip nat remember ${rule}`), ''].join(
    '\n',
  )
}

/** The maps that hold a router's memory apart from connection tracking. */
export function memoryOf(
  translation: Translation,
): readonly ('owner' | 'contacted' | 'endpoint' | 'taken')[] {
  return [
    ...(needsOwner(translation) ? (['owner'] as const) : []),
    ...(translation.filtering === 'adf' ? (['contacted'] as const) : []),
    ...(hasExactMapping(translation) ? (['endpoint', 'taken'] as const) : []),
  ]
}

function natTable(translation: Translation, external: string, lifetimeSeconds: number): string {
  return table('ip nat', [
    ...memoryOf(translation).map(name => memory(name)),
    chain('prerouting', 'nat hook prerouting priority dstnat', inboundRules(translation, external)),
    chain('postrouting', 'nat hook postrouting priority srcnat', outboundRules(translation, external)),
    chain(
      'remember',
      'filter hook postrouting priority srcnat + 10',
      rememberRules(translation, lifetimeSeconds),
    ),
  ])
}

function inboundRules({ filtering, hairpinning }: Translation, external: string): string[] {
  const byFiltering: Record<Filtering, string[]> = {
    eif: ['iifname "wan0" dnat ip to tcp dport map @owner'],
    adf: ['iifname "wan0" dnat ip to ip saddr . tcp dport map @contacted'],
    apdf: [],
  }
  // Whether the addressee has sent to the caller is not asked within the LAN.
  const hairpin = `iifname "lan0" ip daddr ${external} dnat ip to tcp dport map @owner`
  return [...byFiltering[filtering], ...(hairpinning ? [hairpin] : [])]
}

function outboundRules(translation: Translation, external: string): string[] {
  const leaving = ['oifname "wan0"']
  if (translation.hairpinning) leaving.push('iifname "lan0" oifname "lan0" ct status dnat')
  const exact = [
    'snat ip to ip saddr . tcp sport map @endpoint',
    // Another inside endpoint has this port already.
    `tcp sport @taken snat to ${external} random`,
  ]
  const choiceOfPort: Record<Mapping, string> = { eim: '', apdm: ' fully-random' }
  const anyPort = `snat to ${external}${choiceOfPort[translation.mapping]}`
  const statements = [...(hasExactMapping(translation) ? exact : []), anyPort]
  return leaving.flatMap(match => statements.map(statement => `${match} ${statement}`))
}

/** An outbound packet shows inside and outside at once: the tuple of its connection, and its own header. */
function rememberRules(translation: Translation, lifetimeSeconds: number): string[] {
  const outbound = 'meta l4proto tcp ct direction original ct status snat'
  const inside = 'ct original ip saddr . ct original proto-src'
  const answer = 'oifname "wan0" meta l4proto tcp ct direction reply ct status dnat'
  const insideOfAnswer = 'ct reply ip saddr . ct reply proto-src'
  const life = `timeout ${lifetimeSeconds}s`
  const update: Record<ReturnType<typeof memoryOf>[number], string[]> = {
    owner: [
      `${outbound} update @owner { tcp sport ${life} : ${inside} }`,
      `${answer} update @owner { tcp sport ${life} : ${insideOfAnswer} }`,
    ],
    contacted: [
      `${outbound} update @contacted { ip daddr . tcp sport ${life} : ${inside} }`,
      `${answer} update @contacted { ip daddr . tcp sport ${life} : ${insideOfAnswer} }`,
    ],
    endpoint: [
      `${outbound} update @endpoint { ${inside} ${life} : ip saddr . tcp sport }`,
      `${answer} update @endpoint { ${insideOfAnswer} ${life} : ip saddr . tcp sport }`,
    ],
    taken: [
      `${outbound} update @taken { tcp sport ${life} }`,
      `${answer} update @taken { tcp sport ${life} }`,
    ],
  }
  return memoryOf(translation).flatMap(name => update[name])
}

function memory(name: ReturnType<typeof memoryOf>[number]): string {
  const type = {
    owner: 'type inet_service : ipv4_addr . inet_service',
    contacted: 'type ipv4_addr . inet_service : ipv4_addr . inet_service',
    endpoint: 'type ipv4_addr . inet_service : ipv4_addr . inet_service',
    taken: 'type inet_service',
  }[name]
  return block(`${name === 'taken' ? 'set' : 'map'} ${name}`, [type, 'size 65535', 'flags dynamic,timeout'])
}

function filterTable(kind: NatKind): string {
  const translation = typeof kind.ipv4 === 'string' ? undefined : kind.ipv4
  const firewall = typeof kind.ipv6 === 'string' ? undefined : kind.ipv6
  return table('inet filter', [
    chain('input', 'filter hook input priority filter', [
      'iifname "lo" accept',
      'ct state established,related accept',
      'meta l4proto { icmp, ipv6-icmp } accept',
      ...(translation === undefined ? [] : reaction('ipv4', translation.unsolicited)),
      ...(firewall === undefined ? [] : reaction('ipv6', firewall.unsolicited)),
    ]),
    chain('forward', 'filter hook forward priority filter', [
      'ct state established,related accept',
      // A packet outside any connection would leave untranslated.
      ...(translation === undefined ? [] : ['meta nfproto ipv4 ct state invalid counter drop']),
      'iifname "lan0" accept',
      'ct status dnat accept',
      ...(translation === undefined ? [] : ['meta nfproto ipv4 counter drop']),
      ...(firewall === undefined ? [] : reaction('ipv6', forwarded(firewall.unsolicited))),
    ]),
  ])
}

/** A firewall has no stack of its own between the outside and a host, so there is nothing to leave it to. */
const forwarded = (unsolicited: Unsolicited): Unsolicited => (unsolicited === 'stack' ? 'drop' : unsolicited)

function reaction(family: 'ipv4' | 'ipv6', unsolicited: Unsolicited): string[] {
  const all = `meta nfproto ${family}`
  const unreachable =
    family === 'ipv4' ? 'reject with icmp port-unreachable' : 'reject with icmpv6 admin-prohibited'
  const rules: Record<Unsolicited, string[]> = {
    drop: [`${all} counter drop`],
    rst: [`${all} meta l4proto tcp counter reject with tcp reset`, `${all} counter ${unreachable}`],
    icmp: [`${all} counter ${unreachable}`],
    stack: [],
  }
  return rules[unsolicited]
}

/** Ports are exclusive to an inside endpoint, except on a router that is Linux and nothing else. */
const hasExactMapping = ({ mapping, unsolicited }: Translation): boolean =>
  mapping === 'eim' && unsolicited !== 'stack'

const needsOwner = ({ filtering, hairpinning }: Translation): boolean => filtering === 'eif' || hairpinning

const table = (name: string, parts: readonly string[]): string => `table ${name} {\n${parts.join('')}}\n`

const chain = (name: string, hook: string, rules: readonly string[]): string =>
  block(`chain ${name}`, [`type ${hook}; policy accept`, ...rules])

const block = (title: string, lines: readonly string[]): string =>
  `  ${title} {\n${lines.map(line => `    ${line}\n`).join('')}  }\n`
