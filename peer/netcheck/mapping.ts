/**
 * The mapping probe: the endpoint of one local port, as relays on several hosts and ports see it.
 *
 * It keeps its connections open, because the hairpinning probe uses their mappings.
 */

import { scopeOf } from '../../src/addresses/scope.ts'
import { TCP } from '@multiformats/multiaddr-matcher'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { reserveSparePort } from '../../src/transport/punch-port.ts'
import { ownAddressTowards } from '../port-mapping/datagrams.ts'
import type { BoundAddress } from '../../src/transport/punch-port.ts'
import type { Observation, ProbeNode } from './probe-node.ts'
import type { Vantage, Vantages } from './reach.ts'
import type { Mapping } from './report.ts'

/** The result of the probe. */
export interface MappingFinding {
  mapping: Mapping
  why: string | undefined
  /** The local port, and its endpoint as the first relay sees it. */
  local: BoundAddress
  first: Observation
  observations: Observation[]
}

/**
 * Runs the probe. An unknown result has a reason.
 *
 * @throws if the first relay cannot be reached, reports an impossible endpoint, or `signal` fires
 */
export async function probeMapping(
  node: ProbeNode,
  { first, elsewhere, otherPort }: Vantages,
  signal: AbortSignal,
): Promise<MappingFinding> {
  const spare = reserveSparePort(node.family)
  try {
    const local = spare.address
    const observe = async (vantage: Vantage | undefined): Promise<Observation | undefined> =>
      vantage === undefined ? undefined : observePlausibly(node, vantage, local, signal)
    const [atFirst, atElsewhere, atOtherPort] = await Promise.all([
      observe(first) as Promise<Observation>,
      // if one of these relays fails, less is known, but the probe continues
      observe(elsewhere).catch(() => undefined),
      observe(otherPort?.vantage).catch(() => undefined),
    ])
    const sibling = otherPort?.sibling === first ? atFirst : atElsewhere
    const { host } = endpointOf(atFirst.endpoint)
    const isOwn = host === (await ownAddressTowards(first.host))
    const judged = isOwn
      ? { mapping: 'none' as const }
      : judge({ atFirst, atElsewhere, atOtherPort, sibling })
    const observations = [atFirst, atElsewhere, atOtherPort].filter(it => it !== undefined)
    return { why: undefined, ...judged, local, first: atFirst, observations }
  } finally {
    // from here on the connections keep the port in use
    spare.release()
  }
}

/**
 * Checks the report of a relay before it is used. A relay can name any address, and this host would dial it.
 */
async function observePlausibly(
  node: ProbeNode,
  vantage: Vantage,
  local: BoundAddress,
  signal: AbortSignal,
): Promise<Observation> {
  const observation = await node.observe(vantage.addr, signal, local)
  assertPlausible(observation.endpoint, vantage)
  return observation
}

/** Throws if the relay cannot have seen this endpoint. */
export function assertPlausible(endpoint: Observation['endpoint'], vantage: Pick<Vantage, 'host'>): void {
  const isTcp = TCP.exactMatch(endpoint)
  const scope = isTcp ? scopeOf(endpointOf(endpoint).host) : 'unusable'
  if (scope !== 'public' && (scope === 'unusable' || scope !== scopeOf(vantage.host)))
    throw new Error(`a relay reports ${endpoint}, which is impossible`)
}

interface Seen {
  atFirst: Observation
  atElsewhere: Observation | undefined
  atOtherPort: Observation | undefined
  /** An observation from the same host as `atOtherPort`. */
  sibling: Observation | undefined
}

function judge({ atFirst, atElsewhere, atOtherPort, sibling }: Seen): { mapping: Mapping; why?: string } {
  const dependsOnPort =
    atOtherPort === undefined || sibling === undefined ? undefined : !areEqual(atOtherPort, sibling)
  if (dependsOnPort === true) return { mapping: 'address-and-port-dependent' }
  if (atElsewhere === undefined)
    return { mapping: 'unknown', why: 'this test needs two relays on different hosts: give another one' }
  if (areEqual(atFirst, atElsewhere)) return { mapping: 'endpoint-independent' }
  if (dependsOnPort === false) return { mapping: 'address-dependent' }
  return {
    mapping: 'address-dependent',
    why: 'to test whether it also depends on the port, give a relay that listens on two ports',
  }
}

function areEqual(one: Observation, other: Observation): boolean {
  return one.endpoint.equals(other.endpoint)
}
