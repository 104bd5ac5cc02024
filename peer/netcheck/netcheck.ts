/**
 * netcheck: tests how the network between this host and its relays treats connections, and what can improve
 * it.
 *
 * It asks relays for the endpoint of a port as they see it, and to dial that port (AutoNAT v2). Two relays on
 * different hosts reveal nearly everything. What one relay cannot reveal is reported as unknown, with the
 * reason.
 */

import { allInterfaces } from '../../src/addresses/interfaces.ts'
import { scopeOf } from '../../src/addresses/scope.ts'
import { isIPv6 } from 'node:net'
import { ownAddressTowards } from '../port-mapping/datagrams.ts'
import { probeDoubleNat } from './double-nat.ts'
import { probeFamily } from './family.ts'
import { judgeOnly443 } from './only-443.ts'
import { startProbeNode } from './probe-node.ts'
import { chooseVantages, familyOf, reach } from './reach.ts'
import { resolveRelays } from './relay-addrs.ts'
import { unknownFamily } from './report.ts'
import { verdictOf } from './verdict.ts'
import { anySignalOf } from '../../src/time/deadline.ts'
import type { AbortOptions, ComponentLogger } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Family } from '../../src/transport/punch-port.ts'
import type { PortMappingSupport } from '../port-mapping/probe.ts'
import type { FamilyFinding } from './family.ts'
import type { ProbeNode } from './probe-node.ts'
import type { Reached } from './reach.ts'
import type { NetcheckReport, Reasons } from './report.ts'

/** Options of {@link runNetcheck}. */
export interface NetcheckOptions extends AbortOptions {
  /**
   * Time for all tests, in milliseconds. Tests that have not finished by then are reported as unknown. Only
   * silence takes long: relays get 4 s to connect, dial-backs 5 s, and some follow one after the other.
   *
   * @default 15000
   */
  timeoutMs?: number
  /** Asks the router which port mapping protocols it supports. @default the router is not asked */
  probePortMapping?: (signal: AbortSignal) => Promise<PortMappingSupport>
  logger?: ComponentLogger | undefined
}

const DEFAULT_TIMEOUT_MS = 15_000

/**
 * Tests the network with these relays. Each address ends in the relay's peer id. Contacts only the relays,
 * the router (with `probePortMapping`), DNS servers, and the hops to a relay. Cancelling stops all tests.
 *
 * @throws the reason of `signal` when that fires, and nothing else
 */
export async function runNetcheck(
  relays: readonly Multiaddr[],
  options: NetcheckOptions = {},
): Promise<NetcheckReport> {
  options.signal?.throwIfAborted()
  const signal = anySignalOf(options.signal, AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS))
  const nodes = await startNodes(options.logger)
  try {
    const report = await probe(relays, nodes, { ...options, signal })
    options.signal?.throwIfAborted()
    return report
  } finally {
    await Promise.all([...nodes.values()].map(async node => node.stop()))
  }
}

type Nodes = ReadonlyMap<Family, ProbeNode>

/** Starts one node for each address family. A host may lack one. */
async function startNodes(logger: ComponentLogger | undefined): Promise<Nodes> {
  const families: readonly Family[] = [4, 6]
  const started = await Promise.allSettled(families.map(async family => startProbeNode(family, logger)))
  const nodes = started.flatMap(it => (it.status === 'fulfilled' ? [it.value] : []))
  return new Map(nodes.map(node => [node.family, node]))
}

async function probe(
  relays: readonly Multiaddr[],
  nodes: Nodes,
  options: NetcheckOptions & { signal: AbortSignal },
): Promise<NetcheckReport> {
  const { signal } = options
  const portMapping = askRouter(options)
  const addrs = await resolveRelays(relays, { signal })
  const nodeFor = (addr: Multiaddr): ProbeNode | undefined => {
    const family = familyOf(addr)
    return family === undefined ? (nodes.get(4) ?? nodes.get(6)) : nodes.get(family)
  }
  const reached = await Promise.all(addrs.map(async addr => reach(addr, nodeFor(addr), signal)))
  const [ipv4, ipv6, doubleNat, ipv6Address, mapping] = await Promise.all([
    probeOf(4, nodes, reached, signal),
    probeOf(6, nodes, reached, signal),
    probeHops(reached, signal),
    globalIpv6(reached),
    portMapping,
  ])
  const only443 = judgeOnly443(reached)
  const why: Reasons = {
    ...ipv4.why,
    ...Object.fromEntries(Object.entries(ipv6.why).map(([field, reason]) => [`ipv6.${field}`, reason])),
    ...reasonOf('doubleNat', doubleNat.why),
    ...reasonOf('only443', only443.why),
    ...reasonOf('portMapping', mapping.why),
  }
  const findings = {
    ...ipv4.report,
    ipv6: { ...ipv6.report, address: ipv6Address, relays: reachedOverIpv6(addrs, reached) },
    doubleNat: ipv4.report.mapping === 'none' ? false : doubleNat.doubleNat,
    only443: only443.only443,
    portMapping: mapping.portMapping,
    relays: reached.map(({ report }) => report),
    why,
  }
  return { ...findings, verdict: verdictOf(findings) }
}

async function probeOf(
  family: Family,
  nodes: Nodes,
  reached: readonly Reached[],
  signal: AbortSignal,
): Promise<FamilyFinding> {
  const node = nodes.get(family)
  return node === undefined
    ? unknownFamily(`this host has no IPv${family}`)
    : probeFamily(node, reached, signal)
}

async function probeHops(
  reached: readonly Reached[],
  signal: AbortSignal,
): Promise<{ doubleNat: boolean | null; why?: string }> {
  const vantages = chooseVantages(reached, 4)
  if (vantages === undefined) return { doubleNat: null, why: 'no relay was reached over IPv4' }
  return probeDoubleNat(vantages.first.host, signal).catch(() => ({
    doubleNat: null,
    why: 'the test timed out',
  }))
}

async function askRouter(
  options: NetcheckOptions & { signal: AbortSignal },
): Promise<{ portMapping: PortMappingSupport | null; why?: string }> {
  const { probePortMapping, signal } = options
  if (probePortMapping === undefined) return { portMapping: null, why: 'the router was not asked' }
  try {
    return { portMapping: await probePortMapping(signal) }
  } catch {
    return { portMapping: null, why: 'the router did not answer in time' }
  }
}

/** The global IPv6 address that this host uses towards a relay, or any of its interfaces. */
async function globalIpv6(reached: readonly Reached[]): Promise<string | null> {
  const remote = chooseVantages(reached, 6)?.first.host
  const used = remote === undefined ? undefined : await ownAddressTowards(remote).catch(() => undefined)
  const own = Object.values(allInterfaces()).flatMap(it => (it ?? []).map(({ address }) => address))
  const isGlobal = (address: string | undefined): boolean =>
    address !== undefined && isIPv6(address) && scopeOf(address) === 'public'
  return [used, ...own].find(isGlobal) ?? null
}

function reachedOverIpv6(addrs: readonly Multiaddr[], reached: readonly Reached[]): boolean | null {
  if (!addrs.some(addr => familyOf(addr) === 6)) return null
  return reached.some(({ vantage }) => vantage?.family === 6)
}

function reasonOf(field: keyof Reasons, reason: string | undefined): Reasons {
  return reason === undefined ? {} : { [field]: reason }
}
