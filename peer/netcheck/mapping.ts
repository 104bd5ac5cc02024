/**
 * The mapping probe: one local port, as relays on several hosts and ports see it.
 *
 * It keeps its connections open: the hairpinning probe uses what they have mapped.
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

/** What the probe found. */
export interface MappingFinding {
  mapping: Mapping
  why: string | undefined
  /** The local port, and what the first relay sees of it. */
  local: BoundAddress
  first: Observation
  observations: Observation[]
}

/** Throws what connecting to the first relay fails with. */
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
      // what one relay does not tell leaves something unknown, and that is all
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
    // the connections hold the port from here on
    spare.release()
  }
}

/** What a relay says is used to dial and to be dialled: it can name any address. */
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

/** Throws where a relay cannot have seen this. */
export function assertPlausible(endpoint: Observation['endpoint'], vantage: Pick<Vantage, 'host'>): void {
  const isTcp = TCP.exactMatch(endpoint)
  const scope = isTcp ? scopeOf(endpointOf(endpoint).host) : 'unusable'
  if (scope !== 'public' && (scope === 'unusable' || scope !== scopeOf(vantage.host)))
    throw new Error(`a relay says that it sees ${endpoint}, which cannot be`)
}

interface Seen {
  atFirst: Observation
  atElsewhere: Observation | undefined
  atOtherPort: Observation | undefined
  /** On the same host as `atOtherPort`. */
  sibling: Observation | undefined
}

function judge({ atFirst, atElsewhere, atOtherPort, sibling }: Seen): { mapping: Mapping; why?: string } {
  const dependsOnPort =
    atOtherPort === undefined || sibling === undefined ? undefined : !areEqual(atOtherPort, sibling)
  if (dependsOnPort === true) return { mapping: 'address-and-port-dependent' }
  if (atElsewhere === undefined)
    return { mapping: 'unknown', why: 'it takes two relays on different hosts to tell: give another one' }
  if (areEqual(atFirst, atElsewhere)) return { mapping: 'endpoint-independent' }
  if (dependsOnPort === false) return { mapping: 'address-dependent' }
  return {
    mapping: 'address-dependent',
    why: 'whether it depends on the port as well takes a relay that listens on two ports to tell',
  }
}

function areEqual(one: Observation, other: Observation): boolean {
  return one.endpoint.equals(other.endpoint)
}
