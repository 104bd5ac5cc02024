/** What the findings come to, in words that a person can act on. Pure. */

import type { FamilyReport, Filtering, NetcheckReport } from './report.ts'

type Findings = Omit<NetcheckReport, 'verdict'>

/** How far punching gets from here; the pairs are those of docs/nat-matrix.md. */
type Reach = 'open' | 'good' | 'most' | 'few' | 'unknown'

const sentences: Readonly<Record<Reach, string>> = {
  open: 'Nothing is in the way: everyone can connect to this host directly.',
  good: 'Direct connections work with everyone, whatever NAT is on the other side.',
  most:
    'Direct connections work with most others: all but those behind a NAT that picks another port for each destination' +
    ' (mobile networks and companies, often), which stay relayed.',
  few:
    'The NAT here picks another port for each destination: direct connections work with public hosts and with those whose NAT' +
    ' lets in any port of a host that they have sent to; with others they stay relayed.',
  unknown: 'Relays are reached; how many others can be connected to directly is not known.',
}

/** A sentence or a few: who can be reached directly, and what can be done about the rest. */
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
      'The router refuses what it does not expect instead of dropping it, so punches may take some tries.',
    )
  if (findings.only443 === true)
    parts.push(
      'Only port 443 gets out: use relays that listen there, and expect connections to stay relayed.',
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
  if (relays.length === 0) return 'No relay was given, and nothing can be told without one.'
  const problems = [...new Set(relays.map(it => it.problem ?? 'no answer'))]
  return `No relay was reached (${problems.join('; ')}): check the addresses, whether the relays run, and whether a firewall here lets connections to them out.`
}

function whatIsMissing({ why, mapping, filtering, ipv6 }: Findings): string {
  const known =
    mapping === 'unknown' &&
    filtering === 'unknown' &&
    (ipv6.mapping !== 'unknown' || ipv6.filtering !== 'unknown')
      ? [why['ipv6.mapping'], why['ipv6.filtering']]
      : [why.mapping, why.filtering]
  const reasons = new Set(known.filter(it => it !== undefined))
  return reasons.size === 0 ? '' : `Because ${[...reasons].join('; and ')}.`
}

function remedies({ mapping, portMapping, doubleNat }: Findings): string[] {
  if (mapping === 'none')
    return ['To be reached by all, let a TCP port in through the firewall, and listen on it (--port).']
  const protocols = Object.entries(portMapping ?? {})
    .filter(([, isThere]) => isThere)
    .map(([name]) => PROTOCOLS[name as keyof typeof PROTOCOLS])
  if (doubleNat === true)
    return [
      'There is more than one router on the way, so that a port has to be forwarded in each of them; where one is the provider’s, ask for a public address or for IPv6.',
    ]
  if (protocols.length > 0)
    return [
      `The router maps ports on request (${protocols.join(', ')}): with a mapped port everyone can connect directly.`,
    ]
  return [
    'To be reached by all, forward a TCP port in the router to this host and listen on it (--port), or switch on UPnP or PCP there.',
  ]
}

const PROTOCOLS = { upnp: 'UPnP', natPmp: 'NAT-PMP', pcp: 'PCP' } as const
