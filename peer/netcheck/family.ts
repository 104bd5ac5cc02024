/** Runs all probes of one address family: mapping and filtering at the same time, each on its own ports. */

import { endpointOf } from '../../src/addresses/endpoint.ts'
import { canSharePort } from '../../src/transport/punch-port.ts'
import { describeFailure } from '../connections/describe-failure.ts'
import { probeFiltering } from './filtering.ts'
import { probeHairpinning } from './hairpinning.ts'
import { probeMapping } from './mapping.ts'
import { chooseVantages } from './reach.ts'
import { unknownFamily } from './report.ts'
import type { FilteringFinding } from './filtering.ts'
import type { MappingFinding } from './mapping.ts'
import type { ProbeNode } from './probe-node.ts'
import type { Reached, Vantages } from './reach.ts'
import type { FamilyReasons, FamilyReport } from './report.ts'

/** The findings, and the reasons for those that are unknown. */
export interface FamilyFinding {
  report: FamilyReport
  why: FamilyReasons
}

/** Runs the probes. A probe that fails leaves its fields unknown, with the reason. Never rejects. */
export async function probeFamily(
  node: ProbeNode,
  reached: readonly Reached[],
  signal: AbortSignal,
): Promise<FamilyFinding> {
  const vantages = chooseVantages(reached, node.family)
  if (vantages === undefined)
    return unknownFamily(`no relay could be reached at an IPv${node.family} TCP address`)
  if (!canSharePort()) return unknownFamily('this platform cannot share a port between connections')
  const finding = unknownFamily('it was not probed')
  await Promise.all([
    attempt(
      async () => probeTranslation(finding, node, vantages, signal),
      reason => noteMapping(finding, undefined, reason),
    ),
    attempt(
      async () => noteFiltering(finding, await probeFiltering(node, vantages, signal)),
      reason => Object.assign(finding.why, { filtering: reason, unsolicited: reason }),
    ),
  ])
  return finding
}

/** Probes the mapping, then hairpinning, which needs the mapping. */
async function probeTranslation(
  finding: FamilyFinding,
  node: ProbeNode,
  vantages: Vantages,
  signal: AbortSignal,
): Promise<void> {
  const mapping = await probeMapping(node, vantages, signal)
  noteMapping(finding, mapping)
  if (mapping.mapping === 'none') {
    finding.why.hairpinning = NO_NAT
    return
  }
  await attempt(
    async () => {
      finding.report.hairpinning = await probeHairpinning(mapping.local, mapping.first.endpoint, signal)
      delete finding.why.hairpinning
    },
    reason => Object.assign(finding.why, { hairpinning: reason }),
  )
}

const NO_NAT = 'there is no NAT'

async function attempt<T>(
  run: () => Promise<T>,
  onFailure: (reason: string) => void,
): Promise<T | undefined> {
  try {
    return await run()
  } catch (error) {
    onFailure(describeFailure(error))
    return undefined
  }
}

function noteMapping(
  { report, why }: FamilyFinding,
  finding: MappingFinding | undefined,
  reason?: string,
): void {
  if (finding === undefined) {
    Object.assign(why, { mapping: reason, portPreserving: reason, hairpinning: reason, observed: reason })
    return
  }
  report.mapping = finding.mapping
  setReason(why, 'mapping', finding.why)
  report.observed = finding.observations.map(({ relay, localPort, endpoint }) => ({
    relay: relay.toString(),
    localPort,
    endpoint: endpoint.toString(),
  }))
  const hasNat = finding.mapping !== 'none'
  report.portPreserving = hasNat ? finding.observations.every(keepsPort) : null
  setReason(why, 'portPreserving', hasNat ? undefined : NO_NAT)
}

function keepsPort({ localPort, endpoint }: MappingFinding['first']): boolean {
  return endpointOf(endpoint).port === localPort
}

function noteFiltering({ report, why }: FamilyFinding, finding: FilteringFinding): void {
  report.filtering = finding.filtering
  report.unsolicited = finding.unsolicited
  setReason(why, 'filtering', finding.why)
  setReason(why, 'unsolicited', finding.whyUnsolicited)
}

function setReason(why: FamilyReasons, field: keyof FamilyReport, reason: string | undefined): void {
  if (reason === undefined) delete why[field]
  else why[field] = reason
}
