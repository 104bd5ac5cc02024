/** Summarizes the findings for people, with advice. The functions have no side effects. */

import type { FamilyReport, Filtering, NetcheckReport } from './report.ts'

type Findings = Omit<NetcheckReport, 'verdict'>

/** How far punching reaches from this host. The pairs of NATs are those of docs/nat-matrix.md. */
type Reach = 'open' | 'good' | 'most' | 'few' | 'unknown'

const sentences: Readonly<Record<Reach, string>> = {
  open: 'Nothing is in the way: every peer can connect to this host directly.',
  good: 'Direct connections work with every peer, whatever NAT it is behind.',
  most:
    'Direct connections work with most others. Peers behind a NAT that picks another port for each destination' +
    ' (often in mobile networks and companies) stay relayed.',
  few:
    'The NAT here picks another port for each destination. Direct connections work with public hosts, and with peers whose NAT' +
    ' accepts any port of a host that they have sent to. Connections to other peers stay relayed.',
  unknown: 'Relays can be reached. It is unknown which peers can connect directly.',
}

/** A few sentences: which peers can connect directly, and how to reach the others. */
export function verdictOf(findings: Findings): string {
  if (!findings.relays.some(it => it.rttMs !== null)) return noRelay(findings)
  const overIpv4 = reachOf(findings)
  const overIpv6 = reachOf(findings.ipv6)
  const [reach, family] = rank(overIpv6) > rank(overIpv4) ? [overIpv6, 6] : [overIpv4, 4]
  const main = sentences[reach]
  const parts = [family === 6 && reach !== 'unknown' ? `Over IPv6: ${main}` : main]
  if (family === 6 && rank(overIpv4) > 0) parts.push(`Over IPv4: ${sentences[overIpv4]}`)
  if (reach === 'unknown') parts.push(whatIsMissing(findings))
  else if (reach !== 'open' && reach !== 'good') parts.push(...remedies(findings))
  if (findings.unsolicited === 'refused' && reach === 'most')
    parts.push(
      'The router refuses unexpected connections instead of dropping them, so a punch may need several attempts.',
    )
  if (findings.only443 === true)
    parts.push(
      'The network allows only port 443. Use relays that listen on it. Connections will stay relayed.',
    )
  return parts.filter(it => it !== '').join(' ')
}

const order: readonly Reach[] = ['unknown', 'few', 'most', 'good', 'open']

function rank(reach: Reach): number {
  return order.indexOf(reach)
}

function reachOf({ mapping, filtering }: Pick<FamilyReport, 'mapping' | 'filtering'>): Reach {
  if (filtering === 'endpoint-independent') return mapping === 'none' ? 'open' : 'good'
  if (filtering === 'unknown' || mapping === 'unknown') return 'unknown'
  if (mapping !== 'none' && mapping !== 'endpoint-independent') return 'few'
  return byFiltering[filtering]
}

const byFiltering: Readonly<Record<Exclude<Filtering, 'unknown' | 'endpoint-independent'>, Reach>> = {
  'address-dependent': 'good',
  'address-and-port-dependent': 'most',
}

function noRelay({ relays }: Findings): string {
  if (relays.length === 0) return 'No relay was given. The tests need at least one.'
  const problems = [...new Set(relays.map(it => it.problem ?? 'no answer'))]
  return `No relay was reached (${problems.join('; ')}). Check the addresses, that the relays run, and that a firewall here allows connections to them.`
}

function whatIsMissing({ why, mapping, filtering, ipv6 }: Findings): string {
  const known =
    mapping === 'unknown' &&
    filtering === 'unknown' &&
    (ipv6.mapping !== 'unknown' || ipv6.filtering !== 'unknown')
      ? [why['ipv6.mapping'], why['ipv6.filtering']]
      : [why.mapping, why.filtering]
  const reasons = new Set(known.filter(it => it !== undefined))
  return reasons.size === 0 ? '' : `Reason: ${[...reasons].join('; ')}.`
}

function remedies({ mapping, portMapping, doubleNat }: Findings): string[] {
  if (mapping === 'none')
    return ['To be reachable from everywhere, open a TCP port in the firewall and listen on it (--port).']
  const protocols = Object.entries(portMapping ?? {})
    .filter(([, isThere]) => isThere)
    .map(([name]) => PROTOCOLS[name as keyof typeof PROTOCOLS])
  if (doubleNat === true)
    return [
      'There is more than one router on the way. To forward a port, forward it in each of them. If one belongs to the provider, ask for a public address or for IPv6.',
    ]
  if (protocols.length > 0)
    return [
      `The router maps ports on request (${protocols.join(', ')}). With a mapped port, every peer can connect directly.`,
    ]
  return [
    'To be reachable from everywhere, forward a TCP port in the router to this host and listen on it (--port), or enable UPnP or PCP in the router.',
  ]
}

const PROTOCOLS = { upnp: 'UPnP', natPmp: 'NAT-PMP', pcp: 'PCP' } as const
