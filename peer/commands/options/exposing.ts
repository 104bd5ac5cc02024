/** Options that expose services: which services there are, and who may use them. */

import { InvalidConfigError } from '../../../src/errors.ts'
import { isPeerId } from '@libp2p/interface'
import { nearestHint } from '../../../src/config/nearest.ts'
import { printPlace } from '../../tunnel/listener/service-kinds.ts'
import { parseTarget } from '../../connections/target.ts'
import { describeRefusal } from '../running/describe-refusal.ts'
import { readAllowFile } from './allow-file.ts'
import type { Output } from '../../../src/cli/output/output.ts'
import type { NamedService } from '../../tunnel/listener/service-kinds.ts'
import type { Resolved } from '../../../src/config/options.ts'
import type { ConfigProblem } from '../../../src/errors.ts'
import type { ExposedService } from '../../status/node-status.ts'
import type { PeerNames } from '../../connections/names.ts'
import type { ServiceAddress } from '../../tunnel/listener/service-rules.ts'
import type { Services, ServicesInit } from '../../tunnel/listener/services.ts'
import type { exposingOptions } from './node-options.ts'
import type { PlacedRule } from './allow-file.ts'

/** The services, and who may use them. */
export type Exposure = Pick<ServicesInit, 'services' | 'allow'>

/**
 * Reads the services and rules of a configuration.
 *
 * @throws {InvalidConfigError} with every rule for a missing service or an unknown peer name
 */
export async function exposureOf(
  config: Resolved<typeof exposingOptions>,
  names: PeerNames,
): Promise<Exposure> {
  const { expose, allow, allowFile, proxyProtocol } = config
  const problems: ConfigProblem[] = []
  const services = new Map(expose.map(it => [it.name, addressOf(it, proxyProtocol.includes(it.name))]))
  const known = [...services.keys()]
  const rules: PlacedRule[] = allow.map(it => ({ ...it, where: '--allow' }))
  if (allowFile !== undefined) rules.push(...(await readAllowFile(allowFile)))
  const placed = [...rules, ...proxyProtocol.map(name => ({ name, where: '--proxy-protocol' }))]
  for (const { name, where } of placed)
    if (!services.has(name)) {
      const hint = known.length === 0 ? '; expose it with --expose' : nearestHint(name, known)
      problems.push({ where, what: `there is no service called ${JSON.stringify(name)}${hint}` })
    }
  const opened = new Map<string, 'anyone' | Set<string>>()
  for (const rule of rules) {
    try {
      open(opened, rule, names)
    } catch (error) {
      if (!(error instanceof InvalidConfigError)) throw error
      problems.push(...error.problems)
    }
  }
  if (problems.length > 0) throw new InvalidConfigError(problems)
  return { services, allow: opened }
}

/** The services for `throughnat status`. */
export function exposedServices({ services, allow }: Exposure): ReadonlyMap<string, ExposedService> {
  return new Map(
    [...services].map(([name, it]) => [name, { place: printPlace(it), allowed: allow.get(name) }]),
  )
}

/** Prints which services are closed to everyone, because they have no rule. */
export function warnAboutClosed({ services, allow }: Exposure, output: Output): void {
  for (const name of services.keys())
    if (!allow.has(name))
      output.note(
        `${name} is closed to every peer without a ticket. To open it, use --allow ${name}=PEER or --allow ${name}=anyone.`,
      )
}

/** Prints the outcome of requests for services. */
export function reportServices(services: Services, output: Output): void {
  services.addEventListener('service:opened', ({ detail }) =>
    output.event('service:opened', { ...detail }, `${detail.peerId} uses ${detail.service}, ${detail.path}`),
  )
  services.addEventListener('service:closed', ({ detail }) => output.event('service:closed', { ...detail }))
  services.addEventListener('service:refused', ({ detail }) =>
    output.event(
      'service:refused',
      { ...detail },
      `Refused ${detail.peerId || 'a peer'} the service "${detail.service}": ${describeRefusal(detail)}`,
    ),
  )
}

function addressOf(service: NamedService, proxyHeader: boolean): ServiceAddress {
  const { name: _, ...address } = service
  return { ...address, proxyHeader }
}

function open(
  opened: Map<string, 'anyone' | Set<string>>,
  { name, peer, where }: PlacedRule,
  names: PeerNames,
): void {
  const rule = opened.get(name) ?? new Set<string>()
  if (peer === 'anyone' || rule === 'anyone') opened.set(name, 'anyone')
  else opened.set(name, rule.add(peerIdOf(peer, where, names)))
}

function peerIdOf(peer: PlacedRule['peer'], where: string, names: PeerNames): string {
  const target = isPeerId(peer) ? peer : names.resolve(peer, where)
  return parseTarget(target).peerId.toString()
}
