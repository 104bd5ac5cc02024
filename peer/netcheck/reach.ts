/** Tests which addresses of relays can be reached, and measures their round-trip times. */

import { TCP } from '@multiformats/multiaddr-matcher'
import { isIPv4, isIPv6 } from 'node:net'
import { endpointOf } from '../../src/addresses/endpoint.ts'
import { describeFailure } from '../connections/describe-failure.ts'
import { ping } from '../../src/protocols/ping.ts'
import { withDeadline } from '../../src/time/deadline.ts'
import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Family } from '../../src/transport/punch-port.ts'
import type { ProbeNode } from './probe-node.ts'
import type { RelayReach } from './report.ts'

/** Time to connect, in milliseconds. SYNs are repeated after 1 and 3 s (RFC 6298 section 5). */
const CONNECT_TIMEOUT_MS = 4_000

/** Number of pings, of which the fastest counts. The first ones include the setup of a new connection. */
const PINGS = 3

/** An address that was reached: a point of view on this host. */
export interface Vantage {
  addr: Multiaddr
  /** From an ephemeral port. It carries requests and is not probed itself. */
  connection: Connection
  /** `undefined` if the address is not plain TCP to an IP address, because then there is nothing to punch. */
  family: Family | undefined
  host: string
  port: number
}

/** The outcome for one address of a relay. */
export interface Reached {
  report: RelayReach
  vantage?: Vantage
}

/** Tries one address. Never rejects. */
export async function reach(
  addr: Multiaddr,
  node: ProbeNode | undefined,
  signal: AbortSignal,
): Promise<Reached> {
  const text = addr.toString()
  if (node === undefined)
    return { report: { addr: text, rttMs: null, problem: 'this host has no such address family' } }
  try {
    const connection = await withDeadline(CONNECT_TIMEOUT_MS, 'No answer in time', signal, signal =>
      node.connect(addr, signal),
    )
    const times: number[] = []
    for (let n = 0; n < PINGS; n++) times.push(await ping(connection, { signal }))
    const vantage = { addr, connection, family: familyOf(addr), ...endpointOf(addr) }
    return { report: { addr: text, rttMs: Math.min(...times) }, vantage }
  } catch (error) {
    return { report: { addr: text, rttMs: null, problem: describeFailure(error) } }
  }
}

/** The family of a plain TCP address with an IP address. `undefined` for other addresses. */
export function familyOf(addr: Multiaddr): Family | undefined {
  if (!TCP.exactMatch(addr)) return undefined
  const { host } = endpointOf(addr)
  return isIPv6(host) ? 6 : isIPv4(host) ? 4 : undefined
}

/** The vantages for the probes of one family. Each reveals something that the others do not. */
export interface Vantages {
  first: Vantage
  /** On another host. */
  elsewhere: Vantage | undefined
  /** On another port of the host of `sibling`, which is one of the two above. */
  otherPort: { vantage: Vantage; sibling: Vantage } | undefined
}

/**
 * Chooses from the addresses that were reached; earlier ones have priority. `undefined` if there is none of
 * this family.
 */
export function chooseVantages(reached: readonly Reached[], family: Family): Vantages | undefined {
  const all = reached.flatMap(({ vantage }) => (vantage?.family === family ? [vantage] : []))
  const [first] = all
  if (first === undefined) return undefined
  const elsewhere = all.find(it => it.host !== first.host)
  const pairs = all.flatMap(vantage =>
    [first, elsewhere]
      .filter(it => it !== undefined)
      .filter(it => it.host === vantage.host && it.port !== vantage.port)
      .map(sibling => ({ vantage, sibling })),
  )
  return { first, elsewhere, otherPort: pairs[0] }
}
